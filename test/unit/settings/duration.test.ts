import { expect } from 'chai';
import fc from 'fast-check';
import { durationMs, durationPattern } from '../../../src/settings/duration.ts';

describe('settings: duration', () => {
  it('reads hours, minutes, seconds, milliseconds and fractions', () => {
    for (const [text, ms] of [
      ['500ms', 500],
      ['2s', 2000],
      ['1.5h', 5_400_000],
      ['1h30m', 5_400_000],
      ['1m1ms', 60_001],
      ['0s', 0],
    ] as const) {
      expect(durationMs(text), text).to.equal(ms);
    }
  });

  it('does not match what Kubernetes would not take, nor signs and parts of a millisecond', () => {
    for (const text of ['', '5', 's', '2 s', '-1s', '+1s', '1d', '1us', '1.s', '.5s', '1s ', '1s\n']) {
      expect(durationPattern.test(text), JSON.stringify(text)).to.equal(false);
    }
  });

  it('gives the sum of its parts', () => {
    const count = fc.integer({ min: 0, max: 9999 });
    fc.assert(
      fc.property(count, count, count, (h, m, ms) => {
        const text = `${h}h${m}m${ms}ms`;
        expect(durationPattern.test(text)).to.equal(true);
        expect(durationMs(text)).to.equal(h * 3_600_000 + m * 60_000 + ms);
      }),
    );
  });
});
