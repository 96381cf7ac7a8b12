import { expect } from 'chai';
import fc from 'fast-check';
import { toWarnings } from '../../../src/admission/admission-message.ts';

describe('warnings', () => {
  it('are cut at the ends of words into pieces that API servers pass on', () => {
    const pieces = toWarnings([Array.from({ length: 60 }, (_, index) => `word${index}`).join(' ')]);
    expect(pieces).to.have.length(2);
    expect(pieces[0]).to.match(/word\d+$/);
    expect(pieces.join(' ').split(' ')).to.have.length(60);
  });

  it('are told once, a line each', () => {
    expect(toWarnings(['a\nb', 'a\nb', 'c'])).to.deep.equal(['a', 'b', 'c']);
  });

  it('stay within what API servers take, and count what is left out', () => {
    const many = toWarnings(Array.from({ length: 40 }, (_, index) => `warning ${index}`));
    expect(many).to.have.length(14);
    expect(many.at(-1)).to.equal('and 27 more lines');
  });

  it('stay within bounds whatever is said', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3000 })), (texts) => {
        const warnings = toWarnings(texts);
        expect(warnings.length).to.be.at.most(14);
        for (const warning of warnings) expect(warning.length).to.be.within(1, 256);
      }),
    );
  });
});
