import { AppError } from '../model/errors.ts';
import { hashChildren } from './merkle-proof.ts';

/** Size and root of a log's tree at some time. */
export interface TreeHead {
  readonly treeSize: bigint;
  readonly rootHash: Uint8Array;
}

/**
 * Requires that the tree `newer` begins with all of the tree `older`: that the log was only appended to (RFC 9162
 * section 2.1.4.2). Throws ERR_LOG_CONSISTENCY.
 */
export function verifyConsistency(older: TreeHead, newer: TreeHead, proof: readonly Uint8Array[]): void {
  if (older.treeSize > newer.treeSize) throw inconsistent('the older tree is the larger one');
  if (older.treeSize === 0n || older.treeSize === newer.treeSize) {
    if (proof.length > 0) throw inconsistent('it has too many hashes');
    if (older.treeSize === newer.treeSize && !Buffer.from(older.rootHash).equals(newer.rootHash))
      throw inconsistent('two trees of the same size have different roots');
    return;
  }
  const isPerfect = (older.treeSize & (older.treeSize - 1n)) === 0n;
  const [first, ...rest] = isPerfect ? [older.rootHash, ...proof] : proof;
  if (first === undefined) throw inconsistent('it has too few hashes');
  const { olderRoot, newerRoot } = climb({ first, rest, older: older.treeSize, newer: newer.treeSize });
  if (!olderRoot.equals(older.rootHash)) throw inconsistent('it leads to another root than the older one');
  if (!newerRoot.equals(newer.rootHash)) throw inconsistent('it leads to another root than the newer one');
}

interface Climb {
  readonly first: Uint8Array;
  readonly rest: readonly Uint8Array[];
  readonly older: bigint;
  readonly newer: bigint;
}

/** Both roots that a proof leads to, level by level from the last node that the two trees share. */
function climb({ first, rest, older, newer }: Climb): {
  readonly olderRoot: Buffer;
  readonly newerRoot: Buffer;
} {
  let [node, last] = lift(older - 1n, newer - 1n, (index) => (index & 1n) === 1n);
  let olderRoot: Buffer = Buffer.from(first);
  let newerRoot = olderRoot;
  for (const sibling of rest) {
    if (last === 0n) throw inconsistent('it has too many hashes');
    if ((node & 1n) === 1n || node === last) {
      olderRoot = hashChildren(sibling, olderRoot);
      newerRoot = hashChildren(sibling, newerRoot);
      [node, last] = lift(node, last, (index) => (index & 1n) === 0n && index !== 0n);
    } else {
      newerRoot = hashChildren(newerRoot, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw inconsistent('it has too few hashes');
  return { olderRoot, newerRoot };
}

function lift(node: bigint, last: bigint, isLifted: (index: bigint) => boolean): [bigint, bigint] {
  let levels = 0n;
  while (isLifted(node >> levels)) levels += 1n;
  return [node >> levels, last >> levels];
}

function inconsistent(why: string): AppError {
  return new AppError('ERR_LOG_CONSISTENCY', `the log's two states do not belong together: ${why}`, {
    kind: 'permanent',
    remedy: 'Do not trust the log until its operator has explained this.',
  });
}
