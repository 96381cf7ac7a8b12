import { createReadStream } from 'node:fs';
import { AppError, isAppError, messageOf } from '../../model/errors.ts';
import { readBounded } from '../../model/bounded-body.ts';
import { maxTaskRunFileBytes } from './task-run-documents.ts';

/** The text of a file that the user named, `-` being standard input. Throws ERR_USAGE_FILE. */
export async function readInput(file: string, { signal }: { readonly signal: AbortSignal }): Promise<string> {
  const object = file === '-' ? 'standard input' : file;
  const code = 'ERR_USAGE_FILE';
  try {
    const stream = file === '-' ? process.stdin : createReadStream(file, { signal });
    const bytes = await readBounded(stream, { maxBytes: maxTaskRunFileBytes, code, object });
    return bytes.toString('utf8');
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
