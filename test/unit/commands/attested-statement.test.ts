import { expect } from 'chai';
import { kindOf, statementIn, statementOf } from '../../../src/commands/attest/attested-statement.ts';
import { parsePinnedImage } from '../../../src/model/image-reference.ts';
import { codeOf } from '../signing/codes.ts';

const image = parsePinnedImage(`harbor.golems.internal/golem-trust/app@sha256:${'a'.repeat(64)}`);
const now = new Date('2026-01-02T03:04:05.678Z');
const make = (type: string, predicate: string) =>
  statementOf(image, { type, predicate: Buffer.from(predicate), now });

describe('the statement of attest', () => {
  it('is what cosign makes: in-toto v0.1 with the image as its subject', () => {
    expect(make('slsaprovenance', '{"builder":{"id":"lab"}}')).to.deep.equal({
      _type: 'https://in-toto.io/Statement/v0.1',
      predicateType: 'https://slsa.dev/provenance/v0.2',
      subject: [{ name: 'harbor.golems.internal/golem-trust/app', digest: { sha256: 'a'.repeat(64) } }],
      predicate: { builder: { id: 'lab' } },
    });
  });

  it('takes any text for a custom predicate, with the time', () => {
    expect(make('custom', 'reviewed').predicate).to.deep.equal({
      Data: 'reviewed',
      Timestamp: '2026-01-02T03:04:05Z',
    });
  });

  it('takes a URI as the predicate type itself', () => {
    expect(make('https://golems.internal/review', '{"by":"Angua"}')).to.include({
      predicateType: 'https://golems.internal/review',
    });
  });

  it('tells an SBOM from other attestations', () => {
    expect(['cyclonedx', 'spdxjson', 'vuln'].map((type) => kindOf(make(type, '{}')))).to.deep.equal([
      'sbom',
      'sbom',
      'provenance',
    ]);
  });

  for (const predicate of ['', 'reviewed', '[]', '{"a":1,"a":2}']) {
    it(`refuses ${JSON.stringify(predicate)} with ERR_USAGE_PREDICATE`, () => {
      expect(codeOf(() => make('cyclonedx', predicate))).to.equal('ERR_USAGE_PREDICATE');
    });
  }

  it('is the one of --statement, if that is about the image', () => {
    const statement = make('cyclonedx', '{"bomFormat":"CycloneDX"}');
    expect(statementIn(Buffer.from(JSON.stringify(statement)), image)).to.deep.equal(statement);
  });

  for (const [name, text, code] of [
    [
      'about another image',
      JSON.stringify(make('vuln', '{}')).replaceAll('aaaa', 'bbbb'),
      'ERR_USAGE_PREDICATE',
    ],
    ['that is none', '{}', 'ERR_STATEMENT'],
  ] as const) {
    it(`refuses a statement ${name} with ${code}`, () => {
      expect(codeOf(() => statementIn(Buffer.from(text), image))).to.equal(code);
    });
  }
});
