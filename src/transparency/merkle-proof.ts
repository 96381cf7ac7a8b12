import { hash } from 'node:crypto';
import { AppError } from '../model/errors.ts';

/** A proof that a leaf is in a tree (RFC 6962 section 2.1.1). */
export interface InclusionProof {
  readonly logIndex: bigint;
  readonly treeSize: bigint;
  /** From the leaf upward. */
  readonly hashes: readonly Uint8Array[];
}

const leafPrefix = Buffer.of(0);
const nodePrefix = Buffer.of(1);

/** Hash of a leaf: SHA-256 over 0x00 and the entry (RFC 6962 section 2.1). */
export function hashLeaf(entry: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([leafPrefix, entry]), 'buffer');
}

/** Hash of an inner node: SHA-256 over 0x01, the left and the right child (RFC 6962 section 2.1). */
export function hashChildren(left: Uint8Array, right: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([nodePrefix, left, right]), 'buffer');
}

/**
 * The root that a tree must have if `leafHash` lies in it where the proof says (RFC 9162 section 2.1.3.2).
 * Throws ERR_LOG_INCLUSION_PROOF if the proof does not have as many hashes as that place in the tree needs.
 */
export function rootFromProof(leafHash: Uint8Array, proof: InclusionProof): Buffer {
  if (proof.logIndex < 0n || proof.logIndex >= proof.treeSize)
    throw refuse('the index lies outside of the tree');
  let index = proof.logIndex;
  let last = proof.treeSize - 1n;
  let node: Buffer = Buffer.from(leafHash);
  for (const sibling of proof.hashes) {
    if (last === 0n) throw refuse('it has too many hashes');
    if ((index & 1n) === 1n || index === last) {
      node = hashChildren(sibling, node);
      // A node without right sibling is lifted to the level where it gets one.
      while ((index & 1n) === 0n && index !== 0n) {
        index >>= 1n;
        last >>= 1n;
      }
    } else {
      node = hashChildren(node, sibling);
    }
    index >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw refuse('it has too few hashes');
  return node;
}

function refuse(why: string): AppError {
  return new AppError('ERR_LOG_INCLUSION_PROOF', `the inclusion proof does not hold: ${why}`, {
    kind: 'passing',
    remedy: 'Do not trust the log until its operator has explained this.',
  });
}
