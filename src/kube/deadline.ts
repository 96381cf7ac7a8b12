/**
 * Runs `work` with a signal that aborts when `outer` does or after `ms` milliseconds (reason: a `TimeoutError`).
 * Unlike `AbortSignal.any([outer, AbortSignal.timeout(ms)])` it leaves nothing behind when `work` ends early.
 */
export async function withDeadline<T>(
  ms: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer.throwIfAborted();
  const controller = new AbortController();
  const forward = (): void => {
    controller.abort(outer.reason);
  };
  const timer = setTimeout(() => {
    controller.abort(new DOMException(`no answer within ${ms} ms`, 'TimeoutError'));
  }, ms);
  outer.addEventListener('abort', forward, { once: true });
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', forward);
  }
}
