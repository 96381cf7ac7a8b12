import { isUtf8 } from 'node:buffer';

/** Bytes of a tar block: headers are one, bodies are padded to whole ones. */
export const blockBytes = 512;

/** What a member is; `other` are devices, FIFOs and unknown kinds, which carry no content for us. */
export type TarEntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';

/** The fields of a header block (POSIX pax interchange format, ustar; GNU variants). */
export interface RawTarHeader {
  name: string;
  linkName: string;
  /** Bytes in the archive; -1 if the field is malformed. */
  size: number;
  readonly mode: number;
  /** The type flag as one character. */
  readonly flag: string;
  /** The block is followed by further ones of an old GNU sparse map. */
  readonly sparseExtended: boolean;
}

const ustarMagic = Buffer.from('ustar\0');
const gnuMagic = Buffer.from('ustar  \0');
const checksumAt = 148;
const checksumEnd = 156;

/** True if the header's checksum is right, in its unsigned or its historic signed form. */
export function hasValidChecksum(block: Buffer): boolean {
  const stored = parseOctal(block, checksumAt, checksumEnd - checksumAt);
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let i = 0; i < blockBytes; i += 1) {
    if (i === checksumAt) i = checksumEnd;
    const byte = block[i] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  return stored === unsigned || stored === unsigned - high * 256;
}

/** True for a block of zeros, two of which end an archive. */
export function isZeroBlock(block: Buffer): boolean {
  if (block[0] !== 0) return false;
  for (let i = 1; i < blockBytes; i += 1) if (block[i] !== 0) return false;
  return true;
}

/** Reads a header block whose checksum was checked. */
export function parseTarHeader(block: Buffer): RawTarHeader {
  const flagByte = block[156] ?? 0;
  const flag = flagByte === 0 ? '0' : String.fromCharCode(flagByte);
  const isUstar = block.compare(ustarMagic, 0, 6, 257, 263) === 0;
  const isGnu = block.compare(gnuMagic, 0, 8, 257, 265) === 0;
  let name = decodeName(block, 0, 100);
  if (isUstar && block[345] !== 0) name = `${decodeName(block, 345, 155)}/${name}`;
  // Archives from before ustar mark directories by a trailing slash alone.
  const isOldDirectory = flagByte === 0 && name.endsWith('/');
  return {
    name,
    linkName: flag === '1' || flag === '2' ? decodeName(block, 157, 100) : '',
    size: parseNumber(block, 124, 12),
    mode: Math.max(parseNumber(block, 100, 8), 0) & 0o7777,
    flag: isOldDirectory ? '5' : flag,
    sparseExtended: isGnu && flag === 'S' && block[482] !== 0,
  };
}

/** Kind of member for a type flag. */
export function entryTypeOf(flag: string): TarEntryType {
  switch (flag) {
    case '0':
    case '7':
    case 'S':
      return 'file';
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    case '5':
      return 'directory';
    default:
      return 'other';
  }
}

/** True for flags whose members never have a body, whatever their size field says (as Go's archive/tar reads them). */
export function isHeaderOnly(flag: string): boolean {
  return flag >= '1' && flag <= '6';
}

/** A name field or record: UTF-8; where it is not, each byte above ASCII as `\xNN`, so that no two names fall together. */
export function decodeTarText(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  return bytes.toString('latin1').replace(/[\x80-\xff]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`);
}

function decodeName(block: Buffer, start: number, length: number): string {
  const zero = block.indexOf(0, start);
  const end = zero < 0 || zero > start + length ? start + length : zero;
  return decodeTarText(block.subarray(start, end));
}

/** An octal field, or GNU's base-256 for large values. -1: malformed, negative or beyond 2^53. */
function parseNumber(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  if ((first & 0x80) === 0) return parseOctal(block, start, length);
  if (first !== 0x80) return -1;
  let value = 0;
  for (let i = start + 1; i < start + length; i += 1) value = value * 256 + (block[i] ?? 0);
  return Number.isSafeInteger(value) ? value : -1;
}

function parseOctal(block: Buffer, start: number, length: number): number {
  let value = 0;
  let digits = 0;
  for (let i = start; i < start + length; i += 1) {
    const byte = block[i] ?? 0;
    if (byte >= 0x30 && byte <= 0x37) {
      value = value * 8 + (byte - 0x30);
      digits += 1;
    } else if (byte === 0x20 || byte === 0) {
      if (digits > 0) break;
    } else {
      return -1;
    }
  }
  return value;
}
