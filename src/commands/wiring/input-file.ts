import { createReadStream } from 'node:fs';
import { AppError, isAppError, messageOf } from '../../model/errors.ts';
import { readBounded } from '../../model/bounded-body.ts';
import { maxTaskRunFileBytes } from './task-run-documents.ts';

// A blob is signed and verified as a whole in memory.
const maxBlobBytes = 1024 * 1024 * 1024;

interface ReadOptions {
  readonly signal: AbortSignal;
}

/** The text of a file that the user named, `-` being standard input. Throws ERR_USAGE_FILE. */
export async function readInput(file: string, options: ReadOptions): Promise<string> {
  return (await readBytes(file, maxTaskRunFileBytes, options)).toString('utf8');
}

/** The bytes of a file that is signed, verified or attested, `-` being standard input; at most 1 GiB. Throws ERR_USAGE_FILE. */
export async function readBlob(file: string, options: ReadOptions): Promise<Buffer> {
  return readBytes(file, maxBlobBytes, options);
}

async function readBytes(file: string, maxBytes: number, { signal }: ReadOptions): Promise<Buffer> {
  const object = file === '-' ? 'standard input' : file;
  const code = 'ERR_USAGE_FILE';
  try {
    const stream = file === '-' ? process.stdin : createReadStream(file, { signal });
    return await readBounded(stream, { maxBytes, code, object });
  } catch (error) {
    signal.throwIfAborted();
    if (isAppError(error)) throw error;
    throw new AppError(code, `${object} cannot be read: ${messageOf(error)}`, {
      kind: 'permanent',
      object,
      remedy: 'Name a readable file, or - for standard input.',
      cause: error,
    });
  }
}
