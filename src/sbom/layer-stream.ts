import { createGunzip, createZstdDecompress } from 'node:zlib';
import { createDigestCheck } from '../model/digest.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import { decompress, freeWhole, outputChunkBytes } from './decompression.ts';
import type { SourceLayer } from './layer-source.ts';
import { digestFault, formatFault, limitFault, truncatedFault } from './sbom-fault.ts';
import type { SbomLimits } from './sbom-limits.ts';
import { ZstdFrames, isZstdMagic } from './zstd-frames.ts';

/** What {@link streamLayer} needs besides the layer. */
export interface LayerStreamOptions {
  readonly signal: AbortSignal;
  readonly limits: Pick<SbomLimits, 'ratio' | 'ratioFreeBytes' | 'uncompressedBytes'>;
  /** Called with the compressed bytes of each piece as it arrives. */
  onBytes?(bytes: number): void;
}

const magicBytes = 4;
const gzipMagic = 0x1f8b;

/**
 * Reads one layer and hands its uncompressed archive to `sink`, piece by piece; gives the uncompressed size in bytes.
 * The compression is told from the first bytes as container runtimes do it (gzip, zstd, else plain). Size, digest and
 * diff_id are checked; whatever `sink` learned is void if this throws. Throws ERR_SBOM_LAYER_DIGEST,
 * ERR_SBOM_LAYER_TRUNCATED, ERR_SBOM_LAYER_FORMAT, ERR_SBOM_LIMIT, what the source and `sink` throw, the signal's reason.
 */
export async function streamLayer(
  layer: SourceLayer,
  sink: (chunk: Buffer) => void,
  options: LayerStreamOptions,
): Promise<number> {
  await using input = await CheckedInput.open(layer, options);
  const archive = new ArchiveCheck(layer, options.limits, input);
  const take = (chunk: Buffer): void => {
    archive.update(chunk);
    sink(chunk);
  };
  try {
    const compression = compressionOf(await input.peek(magicBytes));
    archive.isCompressed = compression !== 'none';
    await readArchive(input, compression, take);
  } catch (error) {
    options.signal.throwIfAborted();
    throw await blame(error, input, layer);
  }
  await input.drain();
  input.check();
  return archive.check();
}

/** Bytes that are not the promised ones explain any fault that reading them gave. */
async function blame(error: unknown, input: CheckedInput, layer: SourceLayer): Promise<unknown> {
  if (input.failed || (isAppError(error) && error.code === 'ERR_SBOM_LIMIT')) return error;
  await input.drain();
  input.check();
  if (isAppError(error) || !isDecompressionError(error)) return error;
  const options = { object: layer.digest, cause: error };
  return messageOf(error).includes('unexpected end of file')
    ? truncatedFault('its compressed stream is cut', options)
    : formatFault(`it cannot be decompressed (${messageOf(error)})`, options);
}

function isDecompressionError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(?:Z_|ZSTD_|ERR_ZSTD)/.test(String(error.code));
}

type Compression = 'gzip' | 'zstd' | 'none';

function compressionOf(start: Buffer): Compression {
  if (start.length >= 2 && start.readUInt16BE(0) === gzipMagic) return 'gzip';
  return start.length === magicBytes && isZstdMagic(start.readUInt32LE(0)) ? 'zstd' : 'none';
}

async function readArchive(
  input: CheckedInput,
  compression: Compression,
  take: (chunk: Buffer) => void,
): Promise<void> {
  switch (compression) {
    case 'gzip':
      await decompress(input.chunks(), createGunzip({ chunkSize: outputChunkBytes }), take);
      break;
    case 'zstd':
      await decompress(
        cutAtFrames(input.chunks()),
        createZstdDecompress({ chunkSize: outputChunkBytes }),
        take,
      );
      break;
    case 'none':
      for await (const chunk of input.chunks()) {
        take(chunk);
        freeWhole(chunk);
      }
  }
}

async function* cutAtFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const frames = new ZstdFrames();
  for await (const chunk of chunks) yield* frames.split(chunk);
}

/** The layer's bytes as they arrive, counted and hashed; can be read to the end after its reader gave up. */
class CheckedInput implements AsyncDisposable {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #layer: SourceLayer;
  readonly #options: LayerStreamOptions;
  /** None if the source checks its bytes itself. */
  readonly #digest: ReturnType<typeof createDigestCheck> | undefined;
  #peeked: Buffer[] = [];
  #done = false;
  bytes = 0;
  /** The source itself threw. */
  failed = false;

  private constructor(source: AsyncIterable<Uint8Array>, layer: SourceLayer, options: LayerStreamOptions) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#layer = layer;
    this.#options = options;
    this.#digest = layer.isChecked === true ? undefined : createDigestCheck(layer.digest);
  }

  static async open(layer: SourceLayer, options: LayerStreamOptions): Promise<CheckedInput> {
    return new CheckedInput(await layer.open({ signal: options.signal }), layer, options);
  }

  async #next(): Promise<Buffer | undefined> {
    if (this.#done) return undefined;
    this.#options.signal.throwIfAborted();
    let next: IteratorResult<Uint8Array>;
    try {
      next = await this.#iterator.next();
    } catch (error) {
      this.failed = this.#done = true;
      throw error;
    }
    if (next.done === true) {
      this.#done = true;
      return undefined;
    }
    const chunk = next.value;
    this.bytes += chunk.length;
    if (this.bytes > this.#layer.size) {
      this.failed = true;
      throw digestFault(`it is longer than the ${this.#layer.size} bytes of its descriptor`, this.#fault());
    }
    this.#digest?.update(chunk);
    this.#options.onBytes?.(chunk.length);
    return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }

  async peek(bytes: number): Promise<Buffer> {
    let have = 0;
    while (have < bytes) {
      const chunk = await this.#next();
      if (chunk === undefined) break;
      this.#peeked.push(chunk);
      have += chunk.length;
    }
    return Buffer.concat(this.#peeked, have).subarray(0, bytes);
  }

  async *chunks(): AsyncGenerator<Buffer> {
    while (this.#peeked.length > 0) {
      const chunk = this.#peeked.shift();
      if (chunk !== undefined) yield chunk;
    }
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) yield chunk;
  }

  async drain(): Promise<void> {
    while ((await this.#next()) !== undefined);
  }

  check(): void {
    if (this.bytes < this.#layer.size) {
      throw digestFault(`the stream ended after ${this.bytes} of ${this.#layer.size} bytes`, this.#fault());
    }
    if (this.#digest?.matches() === false)
      throw digestFault('its bytes do not have this digest', this.#fault());
  }

  #fault(): { object: string } {
    return { object: this.#layer.digest };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#done) await this.#iterator.return?.();
  }
}

/** Size, ratio and diff_id of the uncompressed archive. */
class ArchiveCheck {
  readonly #layer: SourceLayer;
  readonly #limits: LayerStreamOptions['limits'];
  readonly #input: CheckedInput;
  readonly #digest: ReturnType<typeof createDigestCheck>;
  #bytes = 0;
  isCompressed = true;

  constructor(layer: SourceLayer, limits: LayerStreamOptions['limits'], input: CheckedInput) {
    this.#layer = layer;
    this.#limits = limits;
    this.#input = input;
    this.#digest = createDigestCheck(layer.diffId);
  }

  update(chunk: Buffer): void {
    this.#bytes += chunk.length;
    const { uncompressedBytes, ratio, ratioFreeBytes } = this.#limits;
    if (this.#bytes > uncompressedBytes) {
      throw limitFault(`uncompressed it exceeds ${uncompressedBytes} bytes`, this.#fault());
    }
    if (this.#bytes > ratioFreeBytes && this.#bytes > this.#input.bytes * ratio) {
      throw limitFault(`it grows more than ${ratio}-fold when decompressed`, this.#fault());
    }
    if (!this.#isInput()) this.#digest.update(chunk);
  }

  check(): number {
    if (!this.#isInput() && !this.#digest.matches()) {
      throw digestFault(
        `its archive does not have the diff_id ${this.#layer.diffId} of the config`,
        this.#fault(),
      );
    }
    return this.#bytes;
  }

  /** An uncompressed layer has one digest for both, which was checked on the way in. */
  #isInput(): boolean {
    return !this.isCompressed && this.#layer.diffId === this.#layer.digest;
  }

  #fault(): { object: string } {
    return { object: this.#layer.digest };
  }
}
