import { WorkQueue } from '../kube/work-queue.ts';
import type { WorkQueueDepth, WorkResult } from '../kube/work-queue.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';

/** How the queue is made. */
export interface PolicyQueueOptions {
  /** What is worked on, for the log. */
  readonly kind: string;
  readonly worker: (name: string, options: { readonly signal: AbortSignal }) => Promise<WorkResult>;
  readonly clock: Clock;
  readonly log: Log;
  /** Numbers in [0, 1); `Math.random` if absent. */
  readonly random?: (() => number) | undefined;
}

// Each mostly waits for servers, of which some may be slow.
const concurrency = 16;
const pauses = { baseMs: 2000, capMs: 300_000 };

/** A work queue that first works through all that there is, and knows when it has. */
export class PolicyQueue {
  readonly #queue: WorkQueue;
  readonly #untried = new Set<string>();
  readonly #allTried = Promise.withResolvers<undefined>();
  #hasBegun = false;

  constructor({ kind, worker, clock, log, random }: PolicyQueueOptions) {
    this.#queue = new WorkQueue({
      clock,
      concurrency,
      ...pauses,
      ...(random === undefined ? {} : { random }),
      worker: async (name, { signal }) => {
        try {
          return await worker(name, { signal });
        } finally {
          this.#tried(name);
        }
      },
      onFault: ({ key, error, failures, retryInMs }) => {
        log.warn('a policy object is tried again', {
          kind,
          name: key,
          code: isAppError(error) ? error.code : undefined,
          error: messageOf(error),
          attempt: failures,
          retryInMs,
        });
      },
    });
  }

  /** Names of the first round that were not tried yet; undefined before it. */
  get untried(): readonly string[] | undefined {
    return this.#hasBegun ? [...this.#untried] : undefined;
  }

  /** Has all `names` tried, and takes others from now on. Resolves once each was tried, whatever came of it. */
  async begin(names: Iterable<string>): Promise<void> {
    for (const name of names) this.#untried.add(name);
    this.#hasBegun = true;
    const first = [...this.#untried];
    if (first.length === 0) this.#allTried.resolve(undefined);
    for (const name of first) this.#queue.add(name, 'new');
    await this.#allTried.promise;
  }

  /** Something about that name changed: it is worked soon, also if it failed before. Nothing happens before `begin`. */
  offer(name: string): void {
    if (this.#hasBegun) this.#queue.retryNow(name);
  }

  depth(): WorkQueueDepth {
    return this.#queue.depth();
  }

  /** As {@link WorkQueue.close}. */
  async close(options: { readonly deadlineMs: number }): Promise<number> {
    this.#allTried.resolve(undefined);
    return this.#queue.close(options);
  }

  #tried(name: string): void {
    if (this.#untried.delete(name) && this.#untried.size === 0) this.#allTried.resolve(undefined);
  }
}
