import { expect } from 'chai';
import { reviewDeadlineMs } from '../../../src/admission/review-deadline.ts';

describe('the deadline of a review', () => {
  const cases: readonly (readonly [number, string | null, number])[] = [
    [10_000, null, 9000],
    [10_000, '10s', 9000],
    [10_000, '5s', 4000],
    [10_000, '30s', 9000],
    [30_000, '1m30s', 29_000],
    [2000, null, 1000],
    [10_000, '1s', 500],
    [10_000, '100ms', 200],
    [10_000, 'soon', 9000],
    [10_000, '', 9000],
  ];
  for (const [settingsMs, timeout, expected] of cases) {
    it(`is ${expected} ms with ${settingsMs} ms in the settings and timeout=${timeout ?? 'nothing'}`, () => {
      expect(reviewDeadlineMs(settingsMs, timeout)).to.equal(expected);
    });
  }
});
