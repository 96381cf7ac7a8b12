import PQueue from 'p-queue';

/** Lets tasks with the same key run one after the other; keys in use are the only thing it keeps. */
export class KeyedTurns {
  readonly #queues = new Map<string, PQueue>();

  /** Runs `task` when every earlier one with `key` has ended; an abort while waiting gives up the place. */
  async run<T>(key: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(key) ?? new PQueue({ concurrency: 1 });
    this.#queues.set(key, queue);
    try {
      return await queue.add(task, { signal });
    } finally {
      // The queue counts the ended task until its promise has settled everywhere.
      void queue.onIdle().then(() => {
        if (queue.size === 0 && queue.pending === 0 && this.#queues.get(key) === queue)
          this.#queues.delete(key);
      });
    }
  }

  /** Keys in use. */
  get size(): number {
    return this.#queues.size;
  }
}
