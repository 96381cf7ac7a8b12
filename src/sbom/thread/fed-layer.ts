import { reviveFault } from './thread-protocol.ts';
import type { ThreadOrder, ThreadReport } from './thread-protocol.ts';

/** What comes for one feed. */
export type FeedOrder = Extract<ThreadOrder, { readonly kind: 'bytes' | 'end' | 'fault' }>;

/** Pieces asked for ahead, so that reading goes on while one is worked on. */
const ahead = 2;

/** In the thread: the bytes of one layer, which the other side reads and sends. */
export class FedLayer {
  readonly #feed: number;
  readonly #report: (report: ThreadReport) => void;
  readonly #arrived: FeedOrder[] = [];
  #wake: () => void = () => undefined;

  constructor(feed: number, report: (report: ThreadReport) => void) {
    this.#feed = feed;
    this.#report = report;
  }

  /** Takes what the other side sent. */
  take(order: FeedOrder): void {
    this.#arrived.push(order);
    this.#wake();
  }

  /** The layer's bytes. Throws what the other side met, and the reason of `signal`. */
  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const wake = (): void => {
      this.#wake();
    };
    signal.addEventListener('abort', wake, { once: true });
    let isOver = false;
    try {
      for (let asked = 0; asked < ahead; asked += 1) this.#pull();
      for (;;) {
        const order = await this.#next(signal);
        isOver = order.kind !== 'bytes';
        if (order.kind === 'end') return;
        if (order.kind === 'fault') throw reviveFault(order.fault);
        this.#pull();
        yield order.bytes;
      }
    } finally {
      signal.removeEventListener('abort', wake);
      if (!isOver) this.#report({ kind: 'close', feed: this.#feed });
    }
  }

  #pull(): void {
    this.#report({ kind: 'pull', feed: this.#feed });
  }

  async #next(signal: AbortSignal): Promise<FeedOrder> {
    for (;;) {
      signal.throwIfAborted();
      const order = this.#arrived.shift();
      if (order !== undefined) return order;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
