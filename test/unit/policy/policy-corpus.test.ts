import { expect } from 'chai';

import { readPairs, readVerdicts } from '../../../hack/policy-engine/corpus.ts';
import type { ExpectedVerdict, Pair } from '../../../hack/policy-engine/corpus.ts';
import { isAppError } from '../../../src/model/errors.ts';
import type { PolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import type { PolicyVerdict } from '../../../src/policy/evaluation/engine-answers.ts';
import { PolicyCompileError } from '../../../src/policy/evaluation/evaluation-faults.ts';
import { modulesFolder, policyLanguages, readLock } from '../../../src/policy/evaluation/wasm-modules.ts';
import { compilePolicy, judge, openTestEngine } from './test-engine.ts';

interface Judged {
  readonly pair: Pair;
  readonly expected: ExpectedVerdict;
  /** Undefined where the policy does not compile. */
  readonly permissive: PolicyVerdict | undefined;
  readonly strict: PolicyVerdict | undefined;
  readonly compileError: string;
}

const uncompiled = { permissive: undefined, strict: undefined };

async function judgePair(engine: PolicyEngine, pair: Pair, expected: ExpectedVerdict): Promise<Judged> {
  try {
    const policy = await compilePolicy(engine, pair.type, pair.policy);
    const permissive = await judge(policy, pair.document, 'permissive');
    const strict = await judge(policy, pair.document, 'strict');
    await policy.release();
    return { pair, expected, permissive, strict, compileError: '' };
  } catch (cause) {
    if (cause instanceof PolicyCompileError)
      return { pair, expected, ...uncompiled, compileError: cause.reference };
    throw isAppError(cause) ? new Error(`${pair.name}: ${cause.message}`, { cause }) : cause;
  }
}

const prefixes = {
  cue: 'failed evaluating cue policy for pair: ',
  rego: 'failed evaluating rego policy for type pair: ',
};

/** The reference's text without the words around ours. */
function referenceText({ pair, expected }: Judged): string {
  return (expected.error ?? '')
    .replace(prefixes[pair.type], '')
    .replace('failed to compile the cue policy with error: ', '');
}

/** Pairs whose texts differ since the reference panics. */
const panic = 'panic: ';

/** True if a path of plain names and positions leads to something in a JSON document. */
function leadsSomewhere(document: unknown, path: string): boolean {
  let at = document;
  for (const [part] of path.matchAll(/"(?:[^"\\]|\\.)*"|[^.[\]]+/gu)) {
    const name = part.startsWith('"') ? String(JSON.parse(part)) : part;
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return false;
    at = Object.entries(at).find(([key]) => key === name)?.[1];
  }
  return true;
}

describe('policies of the differential corpus', function () {
  this.timeout(240_000);
  const judged: Judged[] = [];

  before(async () => {
    const { verdicts } = await readVerdicts();
    await using engine = openTestEngine();
    for (const pair of await readPairs()) {
      const expected = verdicts[pair.name];
      if (expected === undefined) throw new Error(`verdicts.json lacks ${pair.name}`);
      judged.push(await judgePair(engine, pair, expected));
    }
  });

  it('are two hundred pairs and more, of both languages, passed and refused', () => {
    expect(judged).to.have.length.greaterThan(200);
    for (const type of policyLanguages) {
      const verdicts = judged.filter(({ pair }) => pair.type === type).map(({ expected }) => expected.passed);
      expect(verdicts.filter(Boolean)).to.have.length.greaterThan(20);
      expect(verdicts.filter((passed) => !passed)).to.have.length.greaterThan(20);
    }
  });

  it('were judged by the evaluator versions that the modules hold', async () => {
    expect((await readVerdicts()).versions).to.deep.equal((await readLock(modulesFolder)).versions);
  });

  it("get the reference's verdict in permissive mode", () => {
    const differing = judged.filter(
      ({ permissive, expected }) => (permissive?.passed ?? false) !== expected.passed,
    );
    expect(differing.map(({ pair }) => pair.name)).to.deep.equal([]);
  });

  it("carry the reference's text of each failure", () => {
    const differing = judged
      .filter(({ expected }) => !(expected.error ?? '').startsWith(panic))
      .map((one) => [one.pair.name, one.permissive?.reference ?? one.compileError, referenceText(one)])
      .filter(([, ours, theirs]) => ours !== theirs);
    expect(differing).to.deep.equal([]);
  });

  it("carry the reference's warnings", () => {
    const warned = judged.filter(
      ({ permissive }) => permissive?.passed === true && permissive.warnings.length > 0,
    );
    expect(warned).to.not.have.length(0);
    for (const { permissive, expected } of warned) {
      expect(`warning: ${permissive?.warnings.join() ?? ''}`).to.equal(expected.warning);
    }
  });

  it('are never let pass by strict mode where the reference refuses', () => {
    const looser = judged.filter(({ strict, expected }) => strict?.passed === true && !expected.passed);
    expect(looser.map(({ pair }) => pair.name)).to.deep.equal([]);
  });

  it('differ in strict mode exactly where the list says', () => {
    for (const { pair, strict, expected } of judged.filter(({ expected: { passed } }) => passed)) {
      const refusals = (strict?.messages ?? []).map(({ reason, path }) => `${reason} ${path}`.trim());
      expect(refusals, pair.name).to.deep.equal(expected.strict ?? []);
    }
  });

  it('differ in strict mode only over fields that the document lacks', () => {
    const messages = judged.flatMap(({ pair, strict, expected }) =>
      expected.passed ? (strict?.messages ?? []).map((message) => ({ pair, ...message })) : [],
    );
    expect(messages).to.have.length.greaterThan(20);
    for (const { pair, reason, path, text } of messages) {
      if (reason === 'absent' && !text.startsWith('no alternative')) {
        expect(leadsSomewhere(JSON.parse(pair.document), path), `${pair.name}: ${path}`).to.equal(false);
      } else {
        expect(text, pair.name).to.match(
          /^no alternative|undefined field|MinFields|cannot be checked for absent fields/u,
        );
      }
    }
  });
});
