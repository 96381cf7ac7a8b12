import type { WatchedRun } from './watched-run.ts';

// Less than this is no pause: what fails at the very end of the hold must not be tried again without a break.
const shortestMs = 1000;
const overdueMs = 60_000;

/**
 * The longest pause, in milliseconds, before a deleted run that failed is tried again; undefined for one that is not deleted.
 * It ends with the hold, since a run is let go within a try alone. Once the hold is over only the letting go itself can have
 * failed: a minute. Pure.
 */
export function longestPauseMs(
  { metadata: { deletionTimestamp } }: Pick<WatchedRun, 'metadata'>,
  { holdDeletionMs, nowMs }: { readonly holdDeletionMs: number; readonly nowMs: number },
): number | undefined {
  if (deletionTimestamp === undefined) return undefined;
  const leftMs = Date.parse(deletionTimestamp) + holdDeletionMs - nowMs;
  return leftMs > 0 ? Math.max(leftMs, shortestMs) : overdueMs;
}
