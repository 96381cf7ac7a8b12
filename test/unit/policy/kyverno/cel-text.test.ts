import { expect } from 'chai';
import fc from 'fast-check';
import { allOf, anyOf, celString } from '../../../../src/policy/kyverno/cel-text.ts';
import { readCelString } from './cel-reader.ts';

describe('text in CEL', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({
      unit: fc.constantFrom('"', '\\', "'", '\n', '\r', '\0', 'u', 'U', 'x', '0', '`', '"""'),
      maxLength: 20,
    }),
  );

  it('is one literal, and means what it was made of', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const literal = celString(text);
        expect(literal).to.match(/^[\x20-\x7e]*$/);
        const { value, rest } = readCelString(literal);
        expect(value).to.equal(text);
        expect(rest).to.equal('');
      }),
      { numRuns: 2000 },
    );
  });

  it('does not end early, whatever stands in it', () => {
    for (const text of [
      '" || true || "',
      String.raw`\" || true`,
      '\\',
      '"""',
      '\u2028" || true',
      '\u{1f512}',
    ]) {
      expect(readCelString(`${celString(text)} == x`)).to.deep.equal({ value: text, rest: ' == x' });
    }
  });

  it('half a surrogate pair is refused', () => {
    expect(() => celString('a\ud800'))
      .to.throw()
      .with.property('code', 'ERR_KYVERNO_TEXT');
  });

  it('conjunctions and disjunctions know true, false, and what was said before', () => {
    expect(allOf([])).to.equal('true');
    expect(anyOf([])).to.equal('false');
    expect(allOf(['a', 'true', 'a', 'b'])).to.equal('(a && b)');
    expect(allOf(['a', 'false'])).to.equal('false');
    expect(anyOf(['a', 'false', 'b'])).to.equal('(a || b)');
    expect(anyOf(['a', 'true'])).to.equal('true');
  });
});
