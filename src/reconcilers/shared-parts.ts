import { messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';

/** A part in use: it is not closed before it is given back. */
export interface Lease<Part> extends Disposable {
  readonly part: Part;
}

interface Entry<Part> {
  readonly opened: Promise<Part>;
  isOpen: boolean;
  users: number;
}

/**
 * Parts that many use at once, each opened when it is first asked for and shared by key. Those that nobody uses are kept
 * up to a number, the ones used last; the rest is closed once its last user gave it back. What could not be opened is
 * tried anew when it is asked for again.
 */
export class SharedParts<Part extends AsyncDisposable> implements AsyncDisposable {
  readonly #maxIdle: number;
  readonly #log: Pick<Log, 'warn'>;
  /** In the order of use, the latest last. */
  readonly #entries = new Map<string, Entry<Part>>();
  readonly #closing = new Set<Promise<void>>();

  constructor({ maxIdle, log }: { readonly maxIdle: number; readonly log: Pick<Log, 'warn'> }) {
    this.#maxIdle = maxIdle;
    this.#log = log;
  }

  /** The part of that key, which `open` makes if there is none. Throws what `open` throws. */
  async lease(key: string, open: () => Promise<Part>): Promise<Lease<Part>> {
    const entry = this.#entries.get(key) ?? { opened: open(), isOpen: false, users: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.users += 1;
    try {
      const part = await entry.opened;
      entry.isOpen = true;
      return {
        part,
        [Symbol.dispose]: once(() => {
          this.#giveBack(entry);
        }),
      };
    } catch (error) {
      entry.users -= 1;
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }

  /** True if the part of that key is open, or being opened. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Closes all parts, used or not; one that is being opened is closed then, and not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    const waiting = [...this.#entries.values()].filter(({ isOpen }) => !isOpen);
    for (const key of [...this.#entries.keys()]) this.#close(key);
    if (waiting.length === 0) await Promise.all(this.#closing);
  }

  #giveBack(entry: Entry<Part>): void {
    entry.users -= 1;
    const idle = [...this.#entries].filter(([, { users }]) => users === 0).map(([key]) => key);
    for (const key of idle.slice(0, Math.max(0, idle.length - this.#maxIdle))) this.#close(key);
  }

  #close(key: string): void {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    const closing = this.#dispose(entry).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #dispose(entry: Entry<Part> | undefined): Promise<void> {
    try {
      await (await entry?.opened)?.[Symbol.asyncDispose]();
    } catch (error) {
      this.#log.warn('a part was not closed cleanly', { error: messageOf(error) });
    }
  }
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
}
