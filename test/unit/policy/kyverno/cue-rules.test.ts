import { expect } from 'chai';
import fc from 'fast-check';
import type { PolicyEngine } from '../../../../src/policy/evaluation/policy-engine.ts';
import { celOfRule } from '../../../../src/policy/kyverno/cue-rules.ts';
import { Limitations, formatLimitation } from '../../../../src/policy/kyverno/limitation.ts';
import { compilePolicy, judge, openTestEngine } from '../test-engine.ts';
import { evaluateCel } from './cel-evaluator.ts';
import type { CelValue } from './cel-evaluator.ts';

describe('CUE in CEL', () => {
  let engine: PolicyEngine;

  before(() => {
    engine = openTestEngine();
  });
  after(() => engine.close());

  /** What became of a policy. */
  interface Translated {
    readonly expression: string;
    readonly limitations: readonly string[];
  }

  async function translate(data: string, numbers: 'double' | 'int' = 'double'): Promise<Translated> {
    const policy = await compilePolicy(engine, 'cue', data);
    const limitations = new Limitations();
    const outline = policy.outline ?? expect.fail('there is no outline');
    const expression = celOfRule(outline, 'p', { where: 'sbom', note: limitations.note, numbers });
    return { expression, limitations: limitations.list().map(formatLimitation) };
  }

  function admits(expression: string, document: CelValue): boolean {
    try {
      return evaluateCel(expression, { p: document }) === true;
    } catch {
      return false;
    }
  }

  it("the runbook's rule, with presence and type of every field on the way", async () => {
    const data =
      'predicateType: "https://slsa.dev/provenance/v0.2"\npredicate: builder: id: =~"https://tekton.golems.internal/chains/"';
    const { expression, limitations } = await translate(data);
    expect(limitations).to.deep.equal([]);
    expect(expression).to.equal(
      '(type(p) == map && ' +
        '("predicateType" in p && (type(p["predicateType"]) == string && p["predicateType"] == "https://slsa.dev/provenance/v0.2")) && ' +
        '("predicate" in p && (type(p["predicate"]) == map && ("builder" in p["predicate"] && (type(p["predicate"]["builder"]) == map && ' +
        '("id" in p["predicate"]["builder"] && (type(p["predicate"]["builder"]["id"]) == string && ' +
        'p["predicate"]["builder"]["id"].matches("https://tekton.golems.internal/chains/"))))))))',
    );
  });

  const accepted: readonly (readonly [string, string, CelValue, CelValue])[] = [
    ['a text', 'a: "x"', { a: 'x' }, { a: 'y' }],
    ['an absent field', 'a: "x"', { a: 'x' }, {}],
    ['a field of another type', 'a: b: "x"', { a: { b: 'x' } }, { a: 'b' }],
    ['a regular expression, unanchored', 'a: =~"b+"', { a: 'abbc' }, { a: 'ac' }],
    ['a regular expression that must not match', 'a: !~"^b"', { a: 'ab' }, { a: 'ba' }],
    ['bounds of numbers', 'a: >1 & <3', { a: 2 }, { a: 3 }],
    ['bounds of text', 'a: >="b" & <"d"', { a: 'c' }, { a: 'd' }],
    ['booleans', 'a: true', { a: true }, { a: false }],
    ['null', 'a: null', { a: null }, { a: 'null' }],
    ['types', 'a: string\nb: bool\nc: number', { a: '', b: false, c: 1 }, { a: '', b: 'false', c: 1 }],
    ['anything', 'a: _', { a: null }, {}],
    ['alternatives', 'a: "x" | "y" | =~"^z"', { a: 'zz' }, { a: 'w' }],
    ['optional fields', 'a?: "x"', {}, { a: 'y' }],
    ['lists of a type', 'a: [...{b: "x"}]', { a: [{ b: 'x' }, { b: 'x' }] }, { a: [{ b: 'x' }, {}] }],
    ['lists of a length', 'a: ["x", =~"y"]', { a: ['x', 'y'] }, { a: ['x', 'y', 'z'] }],
    ['lists that go on', 'a: ["x", ...]', { a: ['x', 1] }, { a: [] }],
    ['the same field twice', 'a: string\na: =~"x"', { a: 'x' }, { a: 'y' }],
    ['labels of every kind', '"a b\\"": "\\u00e9\\n"', { 'a b"': 'é\n' }, { 'a b"': 'e' }],
    ['other than a text', 'a: !="x"', { a: 'y' }, { a: 'x' }],
  ];

  for (const [what, data, good, bad] of accepted) {
    it(`${what}: said in full`, async () => {
      const { expression, limitations } = await translate(data);
      expect(limitations).to.deep.equal([]);
      const policy = await compilePolicy(engine, 'cue', data);
      expect([admits(expression, good), admits(expression, bad)], expression).to.deep.equal([true, false]);
      expect([(await judge(policy, good)).passed, (await judge(policy, bad)).passed]).to.deep.equal([
        true,
        false,
      ]);
    });
  }

  const refused: readonly (readonly [string, string])[] = [
    ['import "strings"\na: strings.MinRunes(3)', 'an import'],
    ['a: {b: "x"} | {c: "y"}', 'an alternative that is no text'],
    ['a: !=null | [..."x"]', '!=null beside'],
    ['x: "y"\na: x', 'a reference'],
    ['string: "y"\na: string', 'a reference'],
    ['let l = "x"\na: l', 'let'],
    ['if true {a: "x"}', 'a comprehension'],
    ['#d: a: "x"\nb: #d', 'a hidden field or definition'],
    ['[string]: "x"', 'a pattern'],
    ['a: close({b: "x"})', 'a function call'],
    ['a: "x\\(b)"\nb: "y"', 'an interpolation'],
    ["a: 'bytes'", 'bytes'],
    ['a: "x" + "y"', 'a computation'],
    ['a: 1', 'equal to 1'],
    ['a: int', 'the type int'],
    ['{a: "x"}', 'an embedded value'],
    ['a: "x" @tag(x)', 'an attribute'],
  ];

  for (const [data, why] of refused) {
    it(`${data.replaceAll('\n', '; ')}: never met, and named`, async () => {
      const { expression, limitations } = await translate(data);
      expect(expression).to.equal('false');
      expect(limitations.join('\n')).to.include(why).and.to.include('never passes');
    });
  }

  it('an alternative that cannot be said is one less', async () => {
    const { expression, limitations } = await translate('a: *"x" | "y"');
    expect(limitations.join('\n')).to.include('an operator');
    expect([admits(expression, { a: 'x' }), admits(expression, { a: 'y' })]).to.deep.equal([false, true]);
  });

  it('a bound that includes itself refuses itself, since doubles cannot be told apart', async () => {
    const { expression, limitations } = await translate('a: <=5');
    expect(limitations).to.have.length(1);
    expect([4, 5, 6].map((a) => admits(expression, { a }))).to.deep.equal([true, false, false]);
  });

  it('whole numbers of an object are exact', async () => {
    const { expression, limitations } = await translate('replicas: <=5 & >0 & !=3', 'int');
    expect(limitations).to.deep.equal([]);
    expect(expression).to.include('type(p["replicas"]) == int').and.to.include('p["replicas"] <= 5');
  });

  describe('never lets through what CUE refuses', () => {
    const label = fc.constantFrom('a', 'b', '"c d"', 'e');
    const text = fc.constantFrom('""', '"x"', '"xy"', '"\\""', '"1"', '#"\\d"#');
    const number = fc.constantFrom('0', '1', '-1', '1.0', '1.5', '1e3', '9007199254740993', '0x10', '1Ki');
    const scalar = fc.oneof(
      text,
      number,
      fc.constantFrom('true', 'false', 'null', 'string', 'bool', 'number', 'int', 'float', '_'),
      fc.tuple(fc.constantFrom('=~', '!~', '<', '<=', '>', '>=', '!='), text).map((pair) => pair.join('')),
      fc.tuple(fc.constantFrom('<', '<=', '>', '>=', '!='), number).map((pair) => pair.join('')),
      fc.constant('!=null'),
    );
    const { rule } = fc.letrec<{ rule: string; fields: string }>((tie) => ({
      fields: fc
        .array(fc.tuple(label, fc.constantFrom(':', ':', '?:', '!:'), tie('rule')), { maxLength: 3 })
        .map((all) => all.map((parts) => parts.join(' ')).join('\n')),
      rule: fc.oneof(
        { maxDepth: 3, depthSize: 'small' },
        scalar,
        tie('fields').map((inner) => `{\n${inner}\n}`),
        fc.tuple(tie('rule'), fc.constantFrom('&', '|'), tie('rule')).map((parts) => `(${parts.join(' ')})`),
        tie('rule').map((inner) => `[...${inner}]`),
        fc.array(tie('rule'), { maxLength: 2 }).map((inner) => `[${inner.join(', ')}]`),
        fc.tuple(tie('rule'), fc.constantFrom('...', '...string')).map((inner) => `[${inner.join(', ')}]`),
      ),
    }));
    const value = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3, depthSize: 'small' },
        fc.constantFrom(
          '""',
          '"x"',
          '"xy"',
          '"\\""',
          '"1"',
          'true',
          'false',
          'null',
          '0',
          '1',
          '1.0',
          '-1',
          '2',
          '1.5',
        ),
        fc.constantFrom(
          '1e3',
          '1000',
          '16',
          '1024',
          '9007199254740993',
          '9007199254740992',
          '5.0000000000000000001',
        ),
        fc
          .uniqueArray(fc.tuple(fc.constantFrom('"a"', '"b"', '"c d"', '"e"'), tie('value')), {
            selector: ([name]) => name,
            maxLength: 3,
          })
          .map((pairs) => `{${pairs.map((pair) => pair.join(':')).join(',')}}`),
        fc.array(tie('value'), { maxLength: 2 }).map((list) => `[${list.join(',')}]`),
      ),
    })).value;

    it('whatever the rule and the document', async () => {
      let alike = 0;
      await fc.assert(
        fc.asyncProperty(rule, fc.array(value, { minLength: 1, maxLength: 6 }), async (data, documents) => {
          const source = `r: ${data}`;
          const policy = await compilePolicy(engine, 'cue', source).catch(() => undefined);
          if (policy === undefined) return;
          const { expression } = await translate(source);
          for (const document of documents) {
            const json = `{"r":${document}}`;
            const isAdmitted = admits(expression, JSON.parse(json) as CelValue);
            if (!isAdmitted) continue;
            const verdict = await judge(policy, json);
            expect(
              verdict.passed,
              `${source}\n${json}\n${expression}\n${JSON.stringify(verdict.messages)}`,
            ).to.equal(true);
            alike += 1;
          }
          await policy.release();
        }),
        { numRuns: Number(process.env['CUE_RUNS'] ?? 300) },
      );
      expect(alike, 'documents that both let through').to.be.above(10);
    }).timeout(120_000);
  });
});
