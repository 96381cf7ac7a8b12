import { AppError } from '../model/errors.ts';

/**
 * The lines of a stream, without their line feeds. A last line without one was cut off in mid-write and is not given.
 * Throws ERR_KUBE_ANSWER_SIZE for a line above `maxBytes`.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      if (size + end - start > maxBytes) throw tooLarge(maxBytes);
      parts.push(chunk.subarray(start, end));
      yield Buffer.concat(parts);
      parts = [];
      size = 0;
      start = end + 1;
    }
    parts.push(chunk.subarray(start));
    size += chunk.byteLength - start;
    if (size > maxBytes) throw tooLarge(maxBytes);
  }
}

/** Parses JSON that should be a `what`. Throws ERR_KUBE_ANSWER. */
export function parseJson(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    // V8's message quotes the text, which may be a Secret's
    throw new AppError('ERR_KUBE_ANSWER', `the API server gave a ${what} that is no JSON`, {
      kind: 'passing',
      remedy: 'Look whether a proxy stands before the API server; this is tried again.',
    });
  }
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('ERR_KUBE_ANSWER_SIZE', `a watch event is larger than ${maxBytes} bytes`, {
    kind: 'permanent',
    remedy: 'Look for objects of unusual size among those watched.',
  });
}
