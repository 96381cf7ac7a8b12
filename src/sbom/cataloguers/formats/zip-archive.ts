import { inflateRawSync } from 'node:zlib';

/** One file of a zip archive, as the central directory names it. */
export interface ZipEntry {
  readonly name: string;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Offset of the local header in the archive. */
  readonly offset: number;
}

/** Upper bounds of reading one archive. */
export interface ZipLimits {
  /** Entries; an archive with more is refused. */
  readonly entries: number;
}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const end64LocatorSignature = 0x07064b50;
const centralSignature = 0x02014b50;
const localSignature = 0x04034b50;
const endBytes = 22;
const centralBytes = 46;
const localBytes = 30;
const maxCommentBytes = 0xffff;
const unset32 = 0xffffffff;
const minChunkBytes = 64;
const maxChunkBytes = 1024 * 1024;

interface Directory {
  readonly entries: number;
  readonly size: number;
  readonly start: number;
  /** Bytes before the archive proper, as in a program with an archive appended. */
  readonly prefix: number;
}

/**
 * A zip archive in memory, read by its central directory (APPNOTE 6.3, with ZIP64). Names and sizes are the
 * archive's claims: nothing is believed beyond the buffer's bounds, and inflating stops at a bound given by the caller.
 */
export class ZipArchive {
  readonly entries: readonly ZipEntry[];
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer, entries: readonly ZipEntry[]) {
    this.#bytes = bytes;
    this.entries = entries;
  }

  /** Reads the directory. Throws on anything that is no zip archive or exceeds `limits`. */
  static open(content: Uint8Array, limits: ZipLimits): ZipArchive {
    const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    const directory = findDirectory(bytes);
    if (directory.entries > limits.entries)
      throw new Error(`zip archive with more than ${limits.entries} entries`);
    return new ZipArchive(bytes, readDirectory(bytes, directory));
  }

  /** Content of an entry. Throws if it is larger than `maxBytes`, damaged, encrypted, or compressed in another way. */
  read(entry: ZipEntry, maxBytes: number): Buffer {
    if (entry.size > maxBytes) throw new Error(`${entry.name} is larger than ${maxBytes} bytes`);
    const bytes = this.#bytes;
    if (entry.offset + localBytes > bytes.length || bytes.readUInt32LE(entry.offset) !== localSignature) {
      throw new Error(`no local header of ${entry.name}`);
    }
    const names = bytes.readUInt16LE(entry.offset + 26) + bytes.readUInt16LE(entry.offset + 28);
    const start = entry.offset + localBytes + names;
    const data = bytes.subarray(start, start + entry.compressedSize);
    if (data.length !== entry.compressedSize) throw new Error(`${entry.name} is cut off`);
    return unpack(entry, data, maxBytes);
  }
}

/** True for content that begins as a zip archive, or ends as one (a program may stand before it). */
export function isZipArchive(content: Uint8Array): boolean {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return (bytes.length >= 4 && bytes.readUInt32LE(0) === localSignature) || findEnd(bytes) !== undefined;
}

/** Uncompressed content of an entry's `data`. Throws if it is larger than `maxBytes` or of an unknown method. */
export function unpack(
  entry: Pick<ZipEntry, 'name' | 'method' | 'size'>,
  data: Buffer,
  maxBytes: number,
): Buffer {
  if (entry.method === 0) return data;
  if (entry.method !== 8) throw new Error(`${entry.name} has compression method ${entry.method}`);
  // One piece of output for most entries, if their headers tell the truth.
  const chunkSize = Math.min(Math.max(minChunkBytes, entry.size + 1), maxChunkBytes);
  return inflateRawSync(data, { chunkSize, maxOutputLength: Math.max(1, maxBytes) });
}

function findDirectory(bytes: Buffer): Directory {
  const end = findEnd(bytes);
  if (end === undefined) throw new Error('zip archive is cut off');
  return readEnd(bytes, end);
}

/** The end record stands at the very end, but for a comment. */
function findEnd(bytes: Buffer): number | undefined {
  const lowest = Math.max(0, bytes.length - endBytes - maxCommentBytes);
  for (let at = bytes.length - endBytes; at >= lowest; at -= 1) {
    if (bytes.readUInt32LE(at) === endSignature) return at;
  }
  return undefined;
}

function readEnd(bytes: Buffer, at: number): Directory {
  const located = readEnd64(bytes, at) ?? {
    end: at,
    entries: bytes.readUInt16LE(at + 10),
    size: bytes.readUInt32LE(at + 12),
    start: bytes.readUInt32LE(at + 16),
  };
  const prefix = located.end - located.size - located.start;
  if (prefix < 0) throw new Error('zip directory lies outside the archive');
  return { entries: located.entries, size: located.size, start: located.start + prefix, prefix };
}

function readEnd64(bytes: Buffer, at: number) {
  const locator = at - 20;
  if (locator < 0 || bytes.readUInt32LE(locator) !== end64LocatorSignature) return undefined;
  // The record stands right before its locator, unless it carries extensible data: then the locator's offset tells.
  const told = Number(bytes.readBigUInt64LE(locator + 8));
  const end = [locator - 56, told].find(
    (offset) => offset >= 0 && offset + 56 <= bytes.length && bytes.readUInt32LE(offset) === end64Signature,
  );
  if (end === undefined) throw new Error('damaged zip64 directory');
  return {
    end,
    entries: Number(bytes.readBigUInt64LE(end + 32)),
    size: Number(bytes.readBigUInt64LE(end + 40)),
    start: Number(bytes.readBigUInt64LE(end + 48)),
  };
}

function readDirectory(bytes: Buffer, directory: Directory): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = directory.start;
  for (let index = 0; index < directory.entries; index += 1) {
    if (at + centralBytes > bytes.length || bytes.readUInt32LE(at) !== centralSignature) {
      throw new Error('damaged zip directory');
    }
    const nameBytes = bytes.readUInt16LE(at + 28);
    const extraBytes = bytes.readUInt16LE(at + 30);
    const commentBytes = bytes.readUInt16LE(at + 32);
    entries.push(readCentral(bytes, at, directory.prefix));
    at += centralBytes + nameBytes + extraBytes + commentBytes;
  }
  return entries;
}

function readCentral(bytes: Buffer, at: number, prefix: number): ZipEntry {
  const nameEnd = at + centralBytes + bytes.readUInt16LE(at + 28);
  const extra = bytes.subarray(nameEnd, nameEnd + bytes.readUInt16LE(at + 30));
  const [size, compressedSize, offset] = widen(extra, [
    bytes.readUInt32LE(at + 24),
    bytes.readUInt32LE(at + 20),
    bytes.readUInt32LE(at + 42),
  ]);
  return {
    name: bytes.toString('utf8', at + centralBytes, nameEnd),
    method: bytes.readUInt16LE(at + 10),
    compressedSize,
    size,
    offset: offset + prefix,
  };
}

/** Takes 64-bit values from the ZIP64 extra field for those that do not fit 32 bits, in the order that 4.5.3 fixes. */
function widen(extra: Buffer, values: [number, number, number]): [number, number, number] {
  if (!values.includes(unset32)) return values;
  const field = findZip64(extra);
  let at = 0;
  const next = (value: number): number => {
    if (value !== unset32 || at + 8 > field.length) return value;
    at += 8;
    return Number(field.readBigUInt64LE(at - 8));
  };
  return [next(values[0]), next(values[1]), next(values[2])];
}

function findZip64(extra: Buffer): Buffer {
  let at = 0;
  while (at + 4 <= extra.length) {
    const size = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1) return extra.subarray(at + 4, at + 4 + size);
    at += 4 + size;
  }
  return Buffer.alloc(0);
}
