import { messageOf } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import type { Log } from '../../model/log.ts';

// Rotations are announced days ahead; a file that somebody replaced should count soon all the same.
const rereadMs = 10_000;

/** A file that is read again while it is in use; where it has become unusable the last content counts. */
export class RereadFile<Content> {
  readonly #load: (options: { readonly signal: AbortSignal }) => Promise<Content>;
  readonly #parts: { readonly clock: Clock; readonly log: Pick<Log, 'warn'> };
  #content: Content | undefined;
  #readAtMs = -Infinity;
  #complaint = '';
  #reading: Promise<Content> | undefined;

  constructor(
    load: (options: { readonly signal: AbortSignal }) => Promise<Content>,
    parts: { readonly clock: Clock; readonly log: Pick<Log, 'warn'> },
  ) {
    this.#load = load;
    this.#parts = parts;
  }

  /** What was read last; undefined before the first reading. */
  get latest(): Content | undefined {
    return this.#content;
  }

  /**
   * The content, read again if that was long ago; whoever asks meanwhile waits for it too, so that none uses the old one beside
   * another who uses the new one. Throws what reading throws, unless there is an earlier content.
   */
  async current({ signal }: { readonly signal: AbortSignal }): Promise<Content> {
    const nowMs = this.#parts.clock.now().getTime();
    if (this.#reading === undefined) {
      if (this.#content !== undefined && nowMs - this.#readAtMs < rereadMs) return this.#content;
      this.#readAtMs = nowMs;
      this.#reading = this.#read().finally(() => {
        this.#reading = undefined;
      });
    }
    const content = await this.#reading;
    signal.throwIfAborted();
    return content;
  }

  async #read(): Promise<Content> {
    try {
      this.#content = await this.#load({ signal: AbortSignal.timeout(rereadMs) });
      this.#complaint = '';
    } catch (error) {
      if (this.#content === undefined) throw error;
      this.#complain(messageOf(error));
    }
    return this.#content;
  }

  #complain(error: string): void {
    if (error === this.#complaint) return;
    this.#complaint = error;
    this.#parts.log.warn('a file cannot be read again; what it held before counts', { error });
  }
}
