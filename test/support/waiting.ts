import { setTimeout as sleep } from 'node:timers/promises';

/** How long to wait, for what, and how often to look. */
export interface WaitOptions {
  /** What is waited for, for the message. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly pollMs?: number;
}

/**
 * Asks `probe` until it gives a value. A probe that fails is asked again, since the server that it asks may be away on
 * purpose. Throws when the time is over, with the last error.
 */
export async function waitFor<T>(
  probe: () => Promise<T | undefined>,
  { what, timeoutMs, pollMs = 100 }: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    // The last look begins after the deadline: on a busy machine a look may last longer than the whole wait.
    const isLast = performance.now() >= deadline;
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (error) {
      cause = error;
    }
    if (isLast) break;
    await sleep(pollMs);
  }
  throw new Error(`${what} did not happen within ${timeoutMs / 1000} s`, { cause });
}
