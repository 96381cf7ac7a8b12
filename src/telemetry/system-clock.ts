import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../model/clock.ts';

// Node's timers take at most 2^31-1 ms and fire at once beyond.
const maxTimerMs = 2_147_483_647;

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => new Date(),
  sleep: async (ms, signal) => {
    try {
      for (let left = ms; left > 0; left -= maxTimerMs) {
        await wait(Math.min(left, maxTimerMs), undefined, { signal });
      }
    } catch (error) {
      // Node rejects with an AbortError of its own; callers are promised the signal's reason.
      signal.throwIfAborted();
      throw error;
    }
    signal.throwIfAborted();
  },
};
