import { AppError } from './errors.ts';

/** A body that is larger than it may be. */
export class BodyTooLargeError extends AppError {}

/**
 * Reads all of `body`; more than `maxBytes` is refused with a {@link BodyTooLargeError} `code` about `object`, and the
 * rest of the body is not read.
 */
export async function readBounded(
  body: AsyncIterable<Uint8Array>,
  bound: { readonly maxBytes: number; readonly code: string; readonly object: string },
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > bound.maxBytes) {
      throw new BodyTooLargeError(
        bound.code,
        `${bound.object} answered with more than ${bound.maxBytes} bytes`,
        {
          kind: 'permanent',
          object: bound.object,
          remedy: 'Check that the address is that of the server that is meant.',
        },
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
