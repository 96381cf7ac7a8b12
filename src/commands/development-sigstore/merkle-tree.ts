import { hash } from 'node:crypto';
import { hashChildren } from '../../transparency/merkle-proof.ts';

/** Root of the tree over these leaf hashes (RFC 6962 section 2.1). Linear work, which a development log can afford. */
export function rootOf(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves;
  if (only === undefined) return hash('sha256', Buffer.alloc(0), 'buffer');
  if (leaves.length === 1) return only;
  const split = splitOf(leaves.length);
  return hashChildren(rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split)));
}

/** Audit path of one leaf, from the leaf upward (RFC 6962 section 2.1.1). */
export function proofOf(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves.length <= 1) return [];
  const split = splitOf(leaves.length);
  return index < split
    ? [...proofOf(leaves.slice(0, split), index), rootOf(leaves.slice(split))]
    : [...proofOf(leaves.slice(split), index - split), rootOf(leaves.slice(0, split))];
}

/** The largest power of two below `size`. */
function splitOf(size: number): number {
  return 2 ** Math.floor(Math.log2(size - 1));
}
