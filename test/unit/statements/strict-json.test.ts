import { expect } from 'chai';
import fc from 'fast-check';
import { parseStrictJson } from '../../../src/statements/strict-json.ts';

const parse = (text: string | Uint8Array, maxBytes = 10_000) =>
  parseStrictJson(typeof text === 'string' ? Buffer.from(text) : text, maxBytes);

describe('parseStrictJson', () => {
  it('gives what JSON.parse gives for any value that is written once', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parse(text, Infinity)).to.deep.equal({ value: JSON.parse(text) as unknown });
      }),
    );
  });

  it('refuses a member name twice, at any depth and however it is written', () => {
    for (const text of [
      '{"a":1,"a":1}',
      '[{"x":{"a":1,"b":2, "a" : 3}}]',
      '{"a":1,"\\u0061":2}',
      '{"__proto__":1,"__proto__":2}',
      '{"a\\\\":1,"a\\\\":2}',
    ]) {
      expect(parse(text), text).to.deep.equal({ fault: 'a member name twice' });
    }
  });

  it('is not confused by quotes, colons and backslashes in strings', () => {
    for (const value of [
      { 'a"': '":' },
      { '\\': '\\"' },
      { a: '{"a":1,"a":2}' },
      ['a', ':'],
      { '\\\\"': ['"'] },
    ]) {
      expect(parse(JSON.stringify(value))).to.deep.equal({ value });
    }
  });

  it('refuses what is too large, not UTF-8, not JSON, behind a byte order mark or too deep', () => {
    expect(parse('[1,2]', 4)).to.deep.equal({ fault: 'too large' });
    expect(parse(Uint8Array.of(0x22, 0xff, 0x22))).to.deep.equal({ fault: 'not UTF-8' });
    expect(parse('{a:1}')).to.deep.equal({ fault: 'not JSON' });
    expect(parse('\uFEFF{}')).to.deep.equal({ fault: 'not JSON' });
    expect(parse('['.repeat(300) + ']'.repeat(300))).to.deep.equal({ fault: 'too deep' });
  });
});
