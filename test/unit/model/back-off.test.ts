import { expect } from 'chai';
import fc from 'fast-check';
import { backOffMs } from '../../../src/model/back-off.ts';

describe('backOffMs', () => {
  it('draws from the upper half of a window that doubles up to the cap', () => {
    const bounds = { baseMs: 2000, capMs: 3_600_000 };
    expect(backOffMs(1, bounds, () => 1)).to.equal(4000);
    expect(backOffMs(3, bounds, () => 0.5)).to.equal(12_000);
    expect(backOffMs(3, bounds, () => 0)).to.equal(8000);
    expect(backOffMs(50, bounds, () => 1)).to.equal(3_600_000);
  });

  it('never leaves the bounds, however many failures', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, x) => {
          const ms = backOffMs(n, { baseMs: 800, capMs: 30_000 }, () => x);
          return ms >= 800 && ms <= 30_000;
        },
      ),
    );
  });
});
