import { expect } from 'chai';
import { longestPauseMs } from '../../../src/reconcilers/deletion-hold.ts';

const deletedAt = '2026-01-01T00:00:00Z';
const longest = (afterMs: number, holdDeletionMs: number): number | undefined =>
  longestPauseMs(
    { metadata: { name: 'build', deletionTimestamp: deletedAt } },
    { holdDeletionMs, nowMs: Date.parse(deletedAt) + afterMs },
  );

describe('how long a deleted run pauses at most', () => {
  it('until its hold is over', () => {
    expect(longest(0, 3_600_000)).to.equal(3_600_000);
    expect(longest(3_000_000, 3_600_000)).to.equal(600_000);
  });

  it('never so short that it is tried without a break', () => {
    expect(longest(3_599_999, 3_600_000)).to.equal(1000);
  });

  it('a minute once its hold is over, or where there is none', () => {
    expect(longest(3_600_000, 3_600_000)).to.equal(60_000);
    expect(longest(0, 0)).to.equal(60_000);
  });

  it('as long as it likes if it is not deleted', () => {
    const metadata = { name: 'build' };
    expect(longestPauseMs({ metadata }, { holdDeletionMs: 0, nowMs: 0 })).to.equal(undefined);
  });
});
