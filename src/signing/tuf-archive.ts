import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { AppError, messageOf } from '../model/errors.ts';
import type { ReadTufFile } from './tuf-client.ts';

/** Files of an archive by their paths, without leading slash. */
export type ArchivedFiles = ReadonlyMap<string, Buffer>;

// An object has at most 1.5 MiB in etcd; JSON shrinks to a tenth at best, and keys hardly at all.
const maxUnpackedBytes = 32 * 1024 * 1024;
const maxFiles = 2000;
const prefix = 'repository/';

/**
 * Unpacks a TUF repository that was packed by tar and gzip, in memory; the folder `repository` around it is left out.
 * Links and devices are passed over. Throws ERR_TUF_ARCHIVE for what cannot be read, is too large, or names a path
 * outside.
 */
export async function unpackTufArchive(
  packed: Uint8Array,
  { object, signal }: { readonly object: string; readonly signal: AbortSignal },
): Promise<ArchivedFiles> {
  try {
    const tar = await promisify(gunzip)(packed, { maxOutputLength: maxUnpackedBytes });
    const files = new Map<string, Buffer>();
    const entries = extract();
    entries.end(tar);
    for await (const entry of entries) {
      const { name, type } = entry.header;
      // No more than the bytes of the archive, which are bounded.
      const bytes = await buffer(entry);
      if (type === 'file') files.set(placeOf(name), bytes);
      if (files.size > maxFiles) throw new Error(`it has more than ${maxFiles} files`);
    }
    return files;
  } catch (error) {
    signal.throwIfAborted();
    throw refuse(object, error);
  }
}

/** Reads the files of an archive as a TUF mirror gives them. */
export function readerOf(files: ArchivedFiles): ReadTufFile {
  return (url) => Promise.resolve(files.get(decodeURIComponent(new URL(url).pathname).slice(1)));
}

function placeOf(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new Error(`content filepath is tainted: ${name}`);
  const path = parts.join('/');
  return path.startsWith(prefix) ? path.slice(prefix.length) : path;
}

function refuse(object: string, cause: unknown): AppError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const words: Readonly<Record<string, string>> = {
    Z_DATA_ERROR: 'gzip: invalid header',
    Z_BUF_ERROR: 'unexpected EOF',
  };
  const why =
    cause instanceof RangeError ? `it unpacks to more than ${maxUnpackedBytes} bytes` : words[String(code)];
  return new AppError('ERR_TUF_ARCHIVE', `failed to uncompress: ${why ?? messageOf(cause)}`, {
    kind: 'permanent',
    object,
    remedy: 'Pack the repository with tar and gzip, as base64: tar czf - repository | base64 -w0.',
    cause,
  });
}
