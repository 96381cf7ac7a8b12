interface Running<T> {
  readonly promise: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

/**
 * Runs one piece of work for each key however many wait for it; stops it when the last of them has gone, or when `closing`
 * fires.
 */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();
  readonly #closing: readonly AbortSignal[];

  constructor(...closing: readonly AbortSignal[]) {
    this.#closing = closing;
  }

  /** Waits for the work under `key`, starting it if nobody did. Rejects with the reason of `signal` when that fires. */
  async join(key: string, start: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const running = this.#running.get(key) ?? this.#begin(key, start);
    running.waiting += 1;
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([running.promise, left]);
    } finally {
      signal.removeEventListener('abort', leave);
      running.waiting -= 1;
      if (running.waiting === 0) this.#end(key, running);
    }
  }

  #begin(key: string, start: (signal: AbortSignal) => Promise<T>): Running<T> {
    const stop = new AbortController();
    const promise = start(AbortSignal.any([stop.signal, ...this.#closing]));
    // The waiters see the fault; this keeps it from being called unhandled once they have gone.
    promise.catch(() => undefined);
    const running = { promise, stop, waiting: 0 };
    this.#running.set(key, running);
    return running;
  }

  #end(key: string, running: Running<T>): void {
    if (this.#running.get(key) === running) this.#running.delete(key);
    running.stop.abort(new DOMException('nobody waits for this any more', 'AbortError'));
  }
}
