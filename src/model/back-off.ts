/** Bounds of a back-off, in milliseconds. */
export interface BackOffBounds {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * The pause before the try that follows `failures` failures in a row (at least 1): drawn evenly from the upper half of a
 * window that doubles with each failure up to the cap, so that many that failed together don't return together, and the
 * pauses keep step with the time that has passed: after an outage nothing waits much longer than the outage lasted.
 * `random` gives numbers in [0, 1).
 */
export function backOffMs(failures: number, bounds: BackOffBounds, random: () => number): number {
  const window = Math.min(bounds.capMs, bounds.baseMs * 2 ** Math.min(failures, 40));
  return Math.round((window * (1 + random())) / 2);
}
