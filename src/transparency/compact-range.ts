import { hash } from 'node:crypto';
import { hashChildren } from './merkle-proof.ts';
import type { InclusionProof } from './merkle-proof.ts';

/**
 * The first leaves of a log's tree, as the roots of the perfect subtrees that they make up, largest first: enough to go
 * on adding leaves and to know the root (RFC 6962 section 2.1), in at most 64 hashes.
 */
export interface CompactRange {
  readonly size: bigint;
  readonly hashes: readonly Buffer[];
}

/** The range without leaves. */
export const emptyRange: CompactRange = { size: 0n, hashes: [] };

/** `range` with more leaf hashes at its end. */
export function extendRange(range: CompactRange, leafHashes: readonly Buffer[]): CompactRange {
  const hashes = [...range.hashes];
  let { size } = range;
  for (const leaf of leafHashes) {
    let node = leaf;
    for (let full = size; (full & 1n) === 1n; full >>= 1n) {
      const left = hashes.pop();
      if (left === undefined) throw new RangeError('the range has fewer hashes than its size needs');
      node = hashChildren(left, node);
    }
    hashes.push(node);
    size += 1n;
  }
  return { size, hashes };
}

/** Root of the tree that has just these leaves. */
export function rootOfRange({ hashes }: CompactRange): Buffer {
  const root = hashes.reduceRight<Buffer | undefined>(
    (right, left) => (right === undefined ? left : hashChildren(left, right)),
    undefined,
  );
  return root ?? hash('sha256', Buffer.alloc(0), 'buffer');
}

/**
 * The range of all leaves before the one that a verified inclusion proof is about: the left siblings on its way to the
 * root are the roots of just those subtrees.
 */
export function rangeBefore({ logIndex, treeSize, hashes }: InclusionProof): CompactRange {
  let index = logIndex;
  let last = treeSize - 1n;
  const left: Buffer[] = [];
  for (const sibling of hashes) {
    // On the right border a node without sibling rises to the level where it has one, on its left.
    while (index === last && (index & 1n) === 0n && index !== 0n) {
      index >>= 1n;
      last >>= 1n;
    }
    if ((index & 1n) === 1n) left.unshift(Buffer.from(sibling));
    index >>= 1n;
    last >>= 1n;
  }
  return { size: logIndex, hashes: left };
}

/** True if a range has as many hashes as its size needs; for one that was stored outside. */
export function isWellFormed({ size, hashes }: CompactRange): boolean {
  const ones = size.toString(2).replaceAll('0', '').length;
  return size >= 0n && hashes.length === ones && hashes.every((node) => node.length === 32);
}
