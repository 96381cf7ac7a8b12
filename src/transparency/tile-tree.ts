import type { CompactRange } from './compact-range.ts';
import { hashChildren } from './merkle-proof.ts';

/** Nodes and entries of a tile in full (C2SP tlog-tiles). */
export const tileWidth = 256;

const levelsPerTile = 8;

/** Names one tile: `width` nodes from `index * 256` on, of the tree's level `level * 8`. */
export interface TileRef {
  readonly level: number;
  readonly index: number;
  /** 1 to 256; less than 256 only at the right border of the tree. */
  readonly width: number;
}

/** Gives the hashes of a tile, as many as its width. */
export type TileSource = (tile: TileRef) => Promise<readonly Buffer[]>;

/** The width that the tile `index` of a level has in a tree of that size. */
export function widthOfTile(level: number, index: number, treeSize: number): number {
  const nodes = Math.floor(treeSize / tileWidth ** level);
  return Math.min(tileWidth, nodes - index * tileWidth);
}

/**
 * The nodes of a tree of `size` leaves, worked out from tiles. Nothing that it gives is verified: a proof made of it is, by
 * leading from one known root to another.
 */
export class TileTree {
  readonly #size: number;
  readonly #tiles: TileSource;

  constructor(size: number, tiles: TileSource) {
    this.#size = size;
    this.#tiles = tiles;
  }

  /** The roots of the perfect subtrees that make up the first `count` leaves, largest first. */
  async range(count: number): Promise<CompactRange> {
    const hashes: Buffer[] = [];
    let start = 0;
    for (let width = largestPower(count); width >= 1; width /= 2) {
      if (start + width > count) continue;
      hashes.push(await this.#node(Math.log2(width), start / width));
      start += width;
    }
    return { size: BigInt(count), hashes };
  }

  /** The proof that the tree begins with its first `older` leaves (RFC 9162 section 2.1.4.1). */
  consistencyProof(older: number): Promise<readonly Buffer[]> {
    return this.#subproof({ older, from: 0, to: this.#size, isWhole: true });
  }

  async #subproof({ older, from, to, isWhole }: Subproof): Promise<readonly Buffer[]> {
    const size = to - from;
    if (older === size) return isWhole ? [] : [await this.#root(from, to)];
    const split = splitOf(size);
    const middle = from + split;
    return older <= split
      ? [...(await this.#subproof({ older, from, to: middle, isWhole })), await this.#root(middle, to)]
      : [
          ...(await this.#subproof({ older: older - split, from: middle, to, isWhole: false })),
          await this.#root(from, middle),
        ];
  }

  /** Hash over the leaves from `from` up to `to`: a perfect subtree, or one at the right border of the tree. */
  async #root(from: number, to: number): Promise<Buffer> {
    const size = to - from;
    if (largestPower(size) === size) return this.#node(Math.log2(size), from / size);
    const middle = from + splitOf(size);
    return hashChildren(await this.#root(from, middle), await this.#root(middle, to));
  }

  /** Root of the perfect subtree over `2 ** level` leaves. */
  async #node(level: number, index: number): Promise<Buffer> {
    const tileLevel = Math.floor(level / levelsPerTile);
    const count = 2 ** (level % levelsPerTile);
    const first = index * count;
    const tileIndex = Math.floor(first / tileWidth);
    const width = widthOfTile(tileLevel, tileIndex, this.#size);
    const hashes = await this.#tiles({ level: tileLevel, index: tileIndex, width });
    const start = first % tileWidth;
    return fold(hashes.slice(start, start + count));
  }
}

interface Subproof {
  readonly older: number;
  readonly from: number;
  readonly to: number;
  readonly isWhole: boolean;
}

/** Root over a power of two of nodes. */
function fold(nodes: readonly Buffer[]): Buffer {
  const [left, right] = nodes;
  if (left === undefined) throw new RangeError('a tile has fewer hashes than its width');
  if (right === undefined) return left;
  const half = nodes.length / 2;
  return hashChildren(fold(nodes.slice(0, half)), fold(nodes.slice(half)));
}

/** The largest power of two that is at most `size`; 0 for 0. */
function largestPower(size: number): number {
  return size === 0 ? 0 : 2 ** Math.floor(Math.log2(size));
}

/** The largest power of two below `size`. */
function splitOf(size: number): number {
  const power = largestPower(size);
  return power === size ? power / 2 : power;
}
