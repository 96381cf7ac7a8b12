import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { AppError, messageOf } from '../../model/errors.ts';
import type { ArchiveFile } from '../../sbom/archive-index.ts';

/** Bytes a read: large enough that a layer does not cost a system call for each 64 KiB. */
const chunkBytes = 1024 * 1024;

/** A tar file on disk, read in place from any offset. Throws ERR_USAGE_FILE where there is none. */
export async function openTarFile(file: string): Promise<ArchiveFile> {
  try {
    if (!(await stat(file)).isFile()) throw new Error('it is no file');
  } catch (error) {
    throw unreadable(file, error);
  }
  return {
    name: basename(file),
    read: ({ signal, offset = 0, length }) => {
      // A range of no bytes cannot be named to a file stream.
      if (length === 0) return Readable.from([]);
      const end = length === undefined ? {} : { end: offset + length - 1 };
      return createReadStream(file, { signal, start: offset, highWaterMark: chunkBytes, ...end });
    },
  };
}

function unreadable(file: string, cause: unknown): AppError {
  return new AppError('ERR_USAGE_FILE', `${file} cannot be read: ${messageOf(cause)}`, {
    kind: 'permanent',
    object: file,
    remedy: 'Name a readable tar file after "tar:".',
    cause,
  });
}
