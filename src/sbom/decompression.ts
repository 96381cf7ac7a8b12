import type { Transform } from 'node:stream';

/** Bytes of a decompressor's output buffer: what {@link decompress} takes a full one for. */
export const outputChunkBytes = 256 * 1024;

/**
 * Passes `input` through a decompressor made with `chunkSize: outputChunkBytes`; what comes out goes to `take` at once
 * and is valid during the call only. The next piece of input is fetched while the last one is worked on; no more is
 * held, and pieces are freed once they are used (see {@link freeWhole}). Throws what the input, the decompressor and `take` throw.
 */
export async function decompress(
  input: AsyncIterable<Buffer>,
  decompressor: Transform,
  take: (chunk: Buffer) => void,
): Promise<void> {
  const work = new Decompression(decompressor, take);
  let written = Promise.resolve();
  try {
    for await (const chunk of input) {
      await written;
      written = work.write(chunk).then(() => {
        freeWhole(chunk);
      });
      // A fault is thrown where the promise is awaited, one piece later.
      written.catch(() => undefined);
    }
    await written;
    await work.end();
  } finally {
    decompressor.destroy();
  }
}

/**
 * A decompressor, driven by write callbacks and `data` events: async iteration over a pipeline costs a tenth more CPU and
 * keeps 30 MB more of buffers alive.
 */
class Decompression {
  readonly #decompressor: Transform;
  #failure: { readonly error: unknown } | undefined;
  /** Ends the wait at hand: a write whose stream fails is never called back, but its stream is closed. */
  #resume: () => void = () => undefined;

  constructor(decompressor: Transform, take: (chunk: Buffer) => void) {
    this.#decompressor = decompressor;
    decompressor.on('data', (chunk: Buffer) => {
      try {
        take(chunk);
      } catch (error) {
        this.#fail(error);
        decompressor.destroy();
      }
      freeFull(chunk);
    });
    decompressor.once('error', (error) => {
      this.#fail(error);
    });
    decompressor.once('close', () => {
      this.#resume();
    });
  }

  async write(chunk: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      this.#decompressor.write(chunk, () => {
        resolve();
      });
    });
    this.#throwFailure();
  }

  async end(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      this.#decompressor.end();
    });
    this.#throwFailure();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/**
 * Frees a buffer at once that nobody shares. Left to the garbage collector, which counts these bytes, a layer's hundreds of
 * megabytes make it collect the whole heap again and again: a quarter of all CPU.
 */
export function freeWhole({ buffer, byteOffset, length }: Buffer): void {
  if (byteOffset === 0 && length === buffer.byteLength) free(buffer);
}

/** Frees an output buffer that has been handed over to its end. */
function freeFull({ buffer, byteOffset, length }: Buffer): void {
  // A buffer that is not full yet is still written to by the decompressor.
  if (buffer.byteLength === outputChunkBytes && byteOffset + length === outputChunkBytes) free(buffer);
}

function free(buffer: ArrayBufferLike): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
