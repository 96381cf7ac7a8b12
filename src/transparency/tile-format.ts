import { tileWidth } from './tile-tree.ts';
import type { TileRef } from './tile-tree.ts';

const hashBytes = 32;
const groupSize = 1000;

/** The path of a tile of hashes, or of the bundle of entries below it (C2SP tlog-tiles, "Merkle Tree", "Log Entries"). */
export function tilePath({
  level,
  index,
  width,
}: Omit<TileRef, 'level'> & { level: number | 'entries' }): string {
  const groups = [String(index % groupSize).padStart(3, '0')];
  for (let rest = Math.floor(index / groupSize); rest > 0; rest = Math.floor(rest / groupSize)) {
    groups.unshift(`x${String(rest % groupSize).padStart(3, '0')}`);
  }
  const partial = width < tileWidth ? `.p/${width}` : '';
  return `tile/${level}/${groups.join('/')}${partial}`;
}

/** The first `width` hashes of a tile; undefined if it has fewer, or is no tile. */
export function parseTile(bytes: Buffer, width: number): readonly Buffer[] | undefined {
  const isTile = bytes.length % hashBytes === 0 && bytes.length <= tileWidth * hashBytes;
  if (!isTile || bytes.length < width * hashBytes) return undefined;
  return Array.from({ length: width }, (_, at) => bytes.subarray(at * hashBytes, (at + 1) * hashBytes));
}

/** The first `width` entries of a bundle: each after its length in two bytes; undefined if it has fewer, or is no bundle. */
export function parseBundle(bytes: Buffer, width: number): readonly Buffer[] | undefined {
  const entries: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 2 > bytes.length) return undefined;
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length || entries.length === tileWidth) return undefined;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries.length < width ? undefined : entries.slice(0, width);
}
