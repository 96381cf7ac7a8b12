import { freeWhole } from '../decompression.ts';
import type { SourceLayer } from '../layer-source.ts';
import { recordFault } from './thread-protocol.ts';
import type { ThreadOrder } from './thread-protocol.ts';

/** Bytes of a message, at least: one costs as much as copying this many. */
const pieceBytes = 256 * 1024;

interface OpenLayer {
  readonly bytes: AsyncIterable<Uint8Array> & Partial<AsyncDisposable>;
  readonly iterator: AsyncIterator<Uint8Array>;
}

/** Reads one layer here, where the credentials are, and sends its bytes to the thread as it asks for them. */
export class LayerFeed {
  readonly #feed: number;
  readonly #send: (order: ThreadOrder, transfer: readonly ArrayBuffer[]) => void;
  readonly #opened: Promise<OpenLayer>;
  readonly #stop = new AbortController();
  #turn: Promise<void> = Promise.resolve();

  constructor(
    feed: number,
    layer: SourceLayer,
    options: {
      readonly signal: AbortSignal;
      readonly send: (order: ThreadOrder, transfer: readonly ArrayBuffer[]) => void;
    },
  ) {
    this.#feed = feed;
    this.#send = options.send;
    const signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#opened = layer
      .open({ signal })
      .then((bytes) => ({ bytes, iterator: bytes[Symbol.asyncIterator]() }));
    // Told to the thread with the first pull.
    this.#opened.catch(() => undefined);
  }

  /** Sends one more piece, the end or the fault. */
  pull(): void {
    this.#turn = this.#turn.then(() => this.#sendNext());
  }

  /** Stops reading; nothing is sent any more. */
  async close(): Promise<void> {
    this.#stop.abort(new DOMException('nobody reads this layer any more', 'AbortError'));
    await this.#turn;
    try {
      const { bytes, iterator } = await this.#opened;
      await iterator.return?.();
      // An iterator that was never asked closes nothing.
      await bytes[Symbol.asyncDispose]?.();
    } catch {
      // Whoever read it knows of the fault already, or does not care any more.
    }
  }

  #isClosed(): boolean {
    return this.#stop.signal.aborted;
  }

  async #sendNext(): Promise<void> {
    if (this.#isClosed()) return;
    const feed = this.#feed;
    try {
      const bytes = await this.#gather();
      if (this.#isClosed()) return;
      if (bytes === undefined) this.#send({ kind: 'end', feed }, []);
      else this.#send({ kind: 'bytes', feed, bytes }, [bytes.buffer]);
    } catch (error) {
      if (!this.#isClosed()) this.#send({ kind: 'fault', feed, fault: recordFault(error) }, []);
    }
  }

  /** The next bytes in a buffer of their own, which the thread takes over; undefined at the end. */
  async #gather(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { iterator } = await this.#opened;
    const parts: Uint8Array[] = [];
    let length = 0;
    while (length < pieceBytes) {
      const next = await iterator.next();
      if (next.done === true) break;
      parts.push(next.value);
      length += next.value.length;
    }
    if (length === 0) return undefined;
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
      freeWhole(Buffer.from(part.buffer, part.byteOffset, part.length));
    }
    return bytes;
  }
}
