import PQueue from 'p-queue';
import { busyFault } from './admission-fault.ts';
import { admissionLimits } from './admission-limits.ts';

/** Bounds of {@link RequestGate}; those of the room if absent. */
export interface GateBounds {
  readonly inWork?: number;
  readonly waiting?: number;
  readonly bufferedBytes?: number;
}

/** Lets reviews in: a bounded number at a time, a bounded number of others waiting. */
export class RequestGate {
  readonly #queue: PQueue;
  readonly #maxWaiting: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(bounds: GateBounds = {}) {
    this.#queue = new PQueue({ concurrency: bounds.inWork ?? admissionLimits.reviewsInWork });
    this.#maxWaiting = bounds.waiting ?? admissionLimits.reviewsWaiting;
    this.#maxBytes = bounds.bufferedBytes ?? admissionLimits.bufferedBytes;
  }

  /** Books memory for a body until disposed. Throws ERR_ADMISSION_BUSY. */
  reserve(bytes: number): Disposable {
    if (this.#bytes + bytes > this.#maxBytes) throw busyFault('the reviews in work are too large together');
    this.#bytes += bytes;
    return {
      [Symbol.dispose]: () => {
        this.#bytes -= bytes;
      },
    };
  }

  /** Runs a task in its turn. Throws ERR_ADMISSION_BUSY, or the signal's reason while waiting. */
  async enter<Result>(signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
    if (this.#queue.size >= this.#maxWaiting) throw busyFault(`${this.#queue.size} reviews are waiting`);
    // Once a review is in work, it heeds its deadline by itself: the queue would give up at once and lose what was found.
    const waiting = new AbortController();
    const giveUp = (): void => {
      waiting.abort(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    const run = (): Promise<Result> => {
      signal.removeEventListener('abort', giveUp);
      return task();
    };
    try {
      return await this.#queue.add(run, { signal: waiting.signal });
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }
}
