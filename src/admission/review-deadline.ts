import { durationMs, durationPattern } from '../settings/duration.ts';
import { admissionTimes } from './admission-limits.ts';

/**
 * Milliseconds that a review may take: what the settings say that the API server waits, or what it says itself in the
 * query (`?timeout=10s`) if that is less, minus the way back.
 */
export function reviewDeadlineMs(settingsMs: number, timeout: string | null): number {
  const patience = timeout !== null && durationPattern.test(timeout) ? durationMs(timeout) : settingsMs;
  const shortest = Math.min(settingsMs, patience);
  // Of a short patience a second would be too much.
  const margin = Math.min(admissionTimes.answerMarginMs, shortest / 2);
  return Math.max(admissionTimes.shortestMs, Math.floor(shortest - margin));
}
