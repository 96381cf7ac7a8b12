import { expect } from 'chai';
import fc from 'fast-check';
import { toLicence, toLicences } from '../../../src/sbom/licence.ts';

describe('licence', () => {
  for (const [declared, kind, text] of [
    ['MIT', 'id', 'MIT'],
    ['mit', 'id', 'MIT'],
    ['The MIT License (MIT)', 'id', 'MIT'],
    ['Apache License, Version 2.0', 'id', 'Apache-2.0'],
    ['GPLv2+', 'id', 'GPL-2.0-or-later'],
    ['MIT OR Apache-2.0', 'expression', 'MIT OR Apache-2.0'],
    ['(mit or apache-2.0)', 'expression', '(MIT OR Apache-2.0)'],
    ['GPLv2+ and (BSD-3-Clause or ISC)', 'expression', 'GPL-2.0-or-later AND (BSD-3-Clause OR ISC)'],
    ['GPL-2.0-only WITH Classpath-exception-2.0', 'expression', 'GPL-2.0-only WITH Classpath-exception-2.0'],
    ['http://www.apache.org/licenses/LICENSE-2.0.txt', 'id', 'Apache-2.0'],
    ['https://opensource.org/licenses/MIT', 'id', 'MIT'],
    ['http://example.com/licenses/MIT', 'name', 'http://example.com/licenses/MIT'],
    ['LicenseRef-own AND MIT', 'expression', 'LicenseRef-own AND MIT'],
    ['MIT and', 'name', 'MIT and'],
    ['(MIT', 'name', '(MIT'],
    ['BSD', 'name', 'BSD'],
    ['see  LICENSE\nfile', 'name', 'see LICENSE file'],
  ] as const) {
    it(`takes ${JSON.stringify(declared)} for the ${kind} ${text}`, () => {
      expect(toLicence(declared)).to.deep.equal({ kind, text });
    });
  }

  it('leaves out empty licences and cuts endless ones', () => {
    expect(toLicence('  ')).to.equal(undefined);
    expect(toLicence('x'.repeat(10_000))?.text).to.have.length(503);
  });

  it('lists ids and names side by side, each once', () => {
    expect(toLicences(['MIT', 'public-domain', 'mit'])).to.deep.equal([
      { kind: 'id', text: 'MIT' },
      { kind: 'name', text: 'public-domain' },
    ]);
  });

  it('joins what it must not mix with an expression, since CycloneDX takes one expression alone', () => {
    expect(toLicences(['MIT', 'GPL-2.0-only OR ISC', 'own words'])).to.deep.equal([
      { kind: 'expression', text: '(GPL-2.0-only OR ISC) AND LicenseRef-own-words AND MIT' },
    ]);
  });

  it('refers to licences without an SPDX id where there are no others, in letters that SPDX allows', () => {
    expect(toLicences(['public-domain'])).to.deep.equal([
      { kind: 'reference', text: 'LicenseRef-public-domain' },
    ]);
    expect(toLicences(['BSD_like (see file)', 'own'])).to.deep.equal([
      {
        kind: 'reference',
        text: 'LicenseRef-BSD-like-see-file AND LicenseRef-own',
        declared: 'BSD_like (see file); own',
      },
    ]);
    expect(toLicences(['?!'])[0]?.text).to.equal('LicenseRef-unnamed');
  });

  it('makes something of any list of texts', () => {
    const word = fc.oneof(fc.string(), fc.constantFrom('MIT', '(', ')', 'AND', 'or', 'WITH', 'GPL-2.0+'));
    const text = fc.array(word, { maxLength: 12 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 4 }), (declared) => {
        const licences = toLicences(declared);
        const expressions = licences.filter(({ kind }) => kind === 'expression');
        expect(expressions.length === 0 || licences.length === 1).to.equal(true);
      }),
    );
  });
});
