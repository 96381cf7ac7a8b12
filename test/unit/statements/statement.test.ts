import { expect } from 'chai';
import fc from 'fast-check';
import { parseDigest } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import { buildCosignSignStatement } from '../../../src/statements/cosign-sign-v1.ts';
import { buildCycloneDxStatement } from '../../../src/statements/cyclonedx-statement.ts';
import {
  encodeStatement,
  findSubject,
  parseStatement,
  statementTypes,
} from '../../../src/statements/statement.ts';
import type { Statement } from '../../../src/statements/statement.ts';

const hex = 'a'.repeat(64);
const digest = parseDigest(`sha256:${hex}`);
const good: Statement = {
  _type: statementTypes.v01,
  subject: [
    { name: 'first', digest: { sha256: 'b'.repeat(64) } },
    { name: 'second', digest: { sha512: 'c'.repeat(128), sha256: hex } },
  ],
  predicateType: 'https://example.test/v1',
  predicate: { z: 1, a: { y: [true, null], b: 'ü' } },
};
const parsing = (value: unknown) => () => parseStatement(Buffer.from(JSON.stringify(value)));

describe('encodeStatement', () => {
  it('sorts members at every level and writes no blanks', () => {
    expect(
      encodeStatement({ ...good, subject: [{ name: 'n', digest: { sha256: hex } }] }).toString(),
    ).to.equal(
      '{"_type":"https://in-toto.io/Statement/v0.1","predicate":{"a":{"b":"ü","y":[true,null]},"z":1},' +
        `"predicateType":"https://example.test/v1","subject":[{"digest":{"sha256":"${hex}"},"name":"n"}]}`,
    );
  });

  it('gives the same bytes whatever the order of members was', () => {
    const turned = {
      predicate: { a: { b: 'ü', y: [true, null] }, z: 1 },
      predicateType: good.predicateType,
      subject: good.subject,
      _type: good._type,
    };
    expect(encodeStatement(turned).equals(encodeStatement(good))).to.equal(true);
  });

  it('is undone by parseStatement', () => {
    expect(parseStatement(encodeStatement(good))).to.deep.equal(good);
  });

  it('refuses half a character with ERR_STATEMENT_ENCODE', () => {
    expect(() => encodeStatement({ ...good, predicate: { a: '\ud83d' } }))
      .to.throw()
      .with.property('code', 'ERR_STATEMENT_ENCODE');
  });
});

describe('parseStatement', () => {
  it('takes v1 without names and predicate, and ignores members that it does not know', () => {
    const statement = {
      _type: statementTypes.v1,
      subject: [{ digest: { gitCommit: 'x' }, uri: 'u' }],
      predicateType: 'p',
      more: 1,
    };
    expect(parseStatement(Buffer.from(JSON.stringify(statement)))).to.deep.equal({
      _type: statementTypes.v1,
      subject: [{ digest: { gitCommit: 'x' } }],
      predicateType: 'p',
      predicate: {},
    });
  });

  it('refuses with ERR_STATEMENT what is no statement', () => {
    for (const value of [
      { ...good, _type: 'https://in-toto.io/Statement/v2' },
      { ...good, subject: [] },
      { ...good, subject: [{ name: 'x' }] },
      { ...good, subject: [{ name: 'x', digest: {} }] },
      { ...good, subject: [{ name: 'x', digest: { sha256: hex.toUpperCase() } }] },
      { ...good, subject: [{ name: 'x', digest: { sha256: hex.slice(1) } }] },
      { ...good, subject: [{ name: 1, digest: { sha256: hex } }] },
      { ...good, predicateType: '' },
      { ...good, predicate: [] },
      'text',
    ]) {
      expect(parsing(value), JSON.stringify(value)).to.throw().with.property('code', 'ERR_STATEMENT');
    }
  });

  it('refuses two predicates with ERR_STATEMENT', () => {
    const twice = JSON.stringify(good).replace('"predicate":', '"predicate":{},"predicate":');
    expect(() => parseStatement(Buffer.from(twice)))
      .to.throw(/twice/)
      .with.property('code', 'ERR_STATEMENT');
  });

  it('throws nothing but ERR_STATEMENT', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseStatement(Buffer.from(text));
        } catch (error) {
          expect(isAppError(error) && error.code).to.equal('ERR_STATEMENT');
        }
      }),
    );
  });
});

describe('findSubject', () => {
  it('looks by digest whatever the name', () => {
    expect(findSubject(good, digest)?.name).to.equal('second');
    expect(findSubject(good, parseDigest(`sha512:${'c'.repeat(128)}`))?.name).to.equal('second');
    expect(findSubject(good, parseDigest(`sha256:${'d'.repeat(64)}`))).to.equal(undefined);
  });
});

describe('buildCosignSignStatement', () => {
  it('equals what cosign 3.1.3 puts into its bundles', () => {
    const cosigns =
      `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"${hex}"},"annotations":{}}],` +
      '"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}';
    expect(JSON.parse(encodeStatement(buildCosignSignStatement(digest)).toString())).to.deep.equal(
      JSON.parse(cosigns),
    );
    expect(findSubject(parseStatement(Buffer.from(cosigns)), digest)).not.to.equal(undefined);
  });
});

describe('buildCycloneDxStatement', () => {
  it('has the BOM as predicate', () => {
    const bom = Buffer.from('{"specVersion": "1.6", "bomFormat":"CycloneDX"}');
    const encoded = encodeStatement(buildCycloneDxStatement(good.subject, bom));
    expect(parseStatement(encoded)).to.deep.equal({
      _type: 'https://in-toto.io/Statement/v0.1',
      subject: good.subject,
      predicateType: 'https://cyclonedx.org/bom',
      predicate: { specVersion: '1.6', bomFormat: 'CycloneDX' },
    });
  });

  it('keeps the bytes of the BOM, and is else as canonical as any statement', () => {
    const bom = Buffer.from('{"a":1}');
    const encoded = encodeStatement(buildCycloneDxStatement(good.subject, bom));
    const { _type, subject, predicateType } = buildCycloneDxStatement(good.subject, bom);
    expect(encoded.toString()).to.equal(
      encodeStatement({ _type, subject, predicateType, predicate: { a: 1 } }).toString(),
    );
  });
});
