import { expect } from 'chai';
import fc from 'fast-check';

import { isAppError } from '../../../src/model/errors.ts';
import type { PolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import type { PolicyLanguage } from '../../../src/policy/evaluation/wasm-modules.ts';
import { compilePolicy, judge, openTestEngine, settableClock } from './test-engine.ts';

/** Errors that hostile input may end with; anything else is a fault of ours. */
const expectedCodes = new Set([
  'ERR_POLICY_COMPILE',
  'ERR_POLICY_CRASHED',
  'ERR_POLICY_DOCUMENT',
  'ERR_POLICY_SIZE',
  'ERR_POLICY_TIMEOUT',
]);

async function outcome(
  engine: PolicyEngine,
  type: PolicyLanguage,
  policy: string,
  document: string,
): Promise<string> {
  try {
    const compiled = await compilePolicy(engine, type, policy);
    const { passed } = await judge(compiled, document);
    await compiled.release();
    return passed ? 'passed' : 'refused';
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
}

const doublings = Array.from({ length: 40 }, (_, n) => `a${n + 1}: {l: a${n}, r: a${n}}`).join('\n');
const alternatives = Array.from({ length: 24 }, (_, n) => `({x${n}: 1} | {y${n}: 1})`).join(' & ');
const range = 'numbers.range(1, 100000)';

const bombs: readonly (readonly [name: string, type: PolicyLanguage, policy: string])[] = [
  ['values that double forty times', 'cue', `a0: {v: 1}\n${doublings}`],
  ['two to the twenty-fourth alternatives', 'cue', `a: ${alternatives}`],
  ['deep braces', 'cue', `${'a: {'.repeat(50_000)}${'}'.repeat(50_000)}`],
  ['deep parentheses', 'cue', `a: ${'('.repeat(100_000)}1${')'.repeat(100_000)}`],
  ['a list as long as memory', 'cue', 'import "list"\na: list.Repeat([1], 1000000000)'],
  ['a text as long as memory', 'cue', 'import "strings"\na: strings.Repeat("x", 2000000000)'],
  ['a number with a giant exponent', 'cue', 'import "math"\na: math.Pow(10, 1000000000)'],
  [
    'loops in loops',
    'rego',
    `package sigstore\nisCompliant { a := ${range}[_]; b := ${range}[_]; a + b == 0 }`,
  ],
  [
    'a set as long as memory',
    'rego',
    'package sigstore\nisCompliant { count(numbers.range(1, 1000000000)) > 0 }',
  ],
  [
    'deep brackets',
    'rego',
    `package sigstore\nisCompliant { ${'['.repeat(50_000)}${']'.repeat(50_000)} == 1 }`,
  ],
];

describe('hostile policies and documents', function () {
  this.timeout(240_000);
  const limits = { evaluateMs: 2_000, compileMs: 4_000 };
  let engine: PolicyEngine;

  before(() => {
    engine = openTestEngine({ limits });
  });
  after(async () => {
    await engine.close();
  });

  for (const [name, type, policy] of bombs) {
    it(`end in bounded time and memory, and the next evaluation works: ${name} in ${type}`, async () => {
      const began = performance.now();
      const ended = await outcome(engine, type, policy, '{}');
      expect(expectedCodes.has(ended) || ended === 'refused', ended).to.equal(true);
      expect(performance.now() - began).to.be.lessThan(60_000);
      expect(process.memoryUsage().rss).to.be.lessThan(3 * 1024 ** 3);
      expect(await outcome(engine, 'cue', 'a: 1', '{"a":1}')).to.equal('passed');
    });
  }

  it('are stopped with ERR_POLICY_TIMEOUT, and rest after three times with ERR_POLICY_RESTING', async () => {
    const clock = settableClock();
    await using strict = openTestEngine({ clock, limits: { ...limits, evaluateMs: 200 } });
    const loop = await compilePolicy(
      strict,
      'rego',
      bombs.find(([name]) => name === 'loops in loops')?.[2] ?? '',
    );
    const codes: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      codes.push(
        await judge(loop, {}).then(String, (error: unknown) =>
          isAppError(error) ? error.code : String(error),
        ),
      );
    }
    expect(codes).to.deep.equal([...Array<string>(3).fill('ERR_POLICY_TIMEOUT'), 'ERR_POLICY_RESTING']);
    clock.set('2026-08-01T13:00:00Z');
    const afterRest = await judge(loop, {}).catch((error: unknown) =>
      isAppError(error) ? error.code : error,
    );
    expect(afterRest).to.equal('ERR_POLICY_TIMEOUT');
  });

  it('of any shape end with a verdict or a known error', async () => {
    const pieces = [
      'a',
      '_b',
      '#C',
      '"q"',
      ': ',
      '{',
      '}',
      '[',
      ']',
      '(',
      ')',
      '|',
      '&',
      '*',
      '...',
      '1',
      '<',
      '=~"x"',
      '\n',
      'if ',
      'for x in a ',
      'let y = ',
      'import "strings"\n',
      '_|_',
      '\\',
      '\u0000',
      '🔏',
    ];
    const cue = fc.array(fc.constantFrom(...pieces), { maxLength: 30 }).map((parts) => parts.join(''));
    const rego = cue.map((text) => `package sigstore\nisCompliant { ${text.replaceAll(': ', ' == ')} }`);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          cue.map((policy) => ['cue', policy] as const),
          rego.map((policy) => ['rego', policy] as const),
        ),
        fc.json({ maxDepth: 5 }),
        async ([type, policy], document) => {
          const ended = await outcome(engine, type, policy, document);
          expect(expectedCodes.has(ended) || ended === 'passed' || ended === 'refused', ended).to.equal(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('cannot make strict mode pass what permissive mode refuses', async () => {
    const policy = await compilePolicy(
      engine,
      'cue',
      'a: int | {b: string}\nc?: [...int]\n[=~"^x"]: {y: <3}',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.record(
          {
            a: fc.oneof(fc.integer(), fc.string(), fc.record({ b: fc.string() }, { requiredKeys: [] })),
            c: fc.array(fc.oneof(fc.integer(), fc.boolean())),
            x1: fc.record({ y: fc.integer({ max: 6, min: 0 }) }, { requiredKeys: [] }),
          },
          { requiredKeys: [] },
        ),
        async (document) => {
          const strict = await judge(policy, document, 'strict');
          const permissive = await judge(policy, document, 'permissive');
          expect(strict.passed && !permissive.passed).to.equal(false);
        },
      ),
      { numRuns: 60 },
    );
  });
});
