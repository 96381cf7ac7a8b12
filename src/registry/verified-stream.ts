import type { Readable } from 'node:stream';
import { createDigestCheck } from '../model/digest.ts';
import { digestMismatch, tooLarge } from './registry-faults.ts';
import type { AppError } from '../model/errors.ts';
import type { BlobKey, BlobStream } from './image-store.ts';

/** What {@link verifyStream} is told besides the bytes. */
export interface VerifiedStreamOptions {
  readonly blob: BlobKey;
  /** The blob's name for messages. */
  readonly object: string;
  /** Translates what the source throws. */
  readonly translate: (error: unknown) => AppError;
}

/**
 * Passes the bytes of `source` on and checks size and digest at the end; the source is destroyed when the reader is
 * done, fails, stops early or disposes the stream. Throws ERR_REGISTRY_DIGEST_MISMATCH, as soon as a byte too much comes.
 */
export function verifyStream(source: Readable, options: VerifiedStreamOptions): BlobStream {
  // A fault before the first read is told to the reader, not to the process.
  source.on('error', () => undefined);
  return {
    [Symbol.asyncIterator]: () => passOn(source, options),
    [Symbol.asyncDispose]: () => {
      source.destroy();
      return Promise.resolve();
    },
  };
}

async function* passOn(source: Readable, options: VerifiedStreamOptions): AsyncGenerator<Uint8Array, void> {
  const { blob, object } = options;
  const check = createDigestCheck(blob.digest);
  let size = 0;
  try {
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > blob.size) throw digestMismatch(object, blob.digest, `more than ${blob.size} bytes came`);
      check.update(chunk);
      yield chunk;
    }
  } catch (error) {
    throw options.translate(error);
  } finally {
    source.destroy();
  }
  if (size !== blob.size) throw digestMismatch(object, blob.digest, `${size} of ${blob.size} bytes came`);
  if (!check.matches()) throw digestMismatch(object, blob.digest);
}

/** All bytes of a checked stream; ERR_REGISTRY_TOO_LARGE before a byte is read if the blob is larger than `maxBytes`. */
export async function collectBlob(
  blob: BlobKey,
  maxBytes: number,
  object: string,
  open: () => Promise<BlobStream>,
): Promise<Uint8Array> {
  if (blob.size > maxBytes) throw tooLarge(object, maxBytes);
  const chunks: Uint8Array[] = [];
  await using stream = await open();
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
