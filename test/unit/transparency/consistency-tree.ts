import { rootOf } from '../../../src/commands/development-sigstore/merkle-tree.ts';

/** The proof that a tree begins with its first `older` leaves, by the definition (RFC 9162 section 2.1.4.1). */
export function consistencyProofOf(leaves: readonly Buffer[], older: number): Buffer[] {
  return older === 0 ? [] : subproof(leaves, older, true);
}

function subproof(leaves: readonly Buffer[], older: number, isWhole: boolean): Buffer[] {
  if (older === leaves.length) return isWhole ? [] : [rootOf(leaves)];
  const split = 2 ** Math.floor(Math.log2(leaves.length - 1));
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return older <= split
    ? [...subproof(left, older, isWhole), rootOf(right)]
    : [...subproof(right, older - split, false), rootOf(left)];
}
