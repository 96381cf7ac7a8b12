import { isAppError } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import type { Log } from '../../model/log.ts';

const firstPauseMs = 500;
const longestPauseMs = 15_000;

/**
 * What `work` gives, tried until it does: a server that is away while we start is no reason to fall over. Anything but a
 * passing fault is thrown, as is the signal's reason.
 */
export async function untilAvailable<Result>(
  work: () => Promise<Result>,
  options: { readonly signal: AbortSignal; readonly clock: Clock; readonly log: Pick<Log, 'warn'> },
): Promise<Result> {
  const { signal, clock, log } = options;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!isAppError(error) || error.kind !== 'passing') throw error;
      log.warn('waiting for what the start needs', {
        code: error.code,
        error: error.message,
        retryInMs: pauseMs,
      });
      await clock.sleep(pauseMs * (0.5 + Math.random() / 2), signal);
    }
  }
}
