import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { AppError } from '../model/errors.ts';
import { openCheckpoint } from './checkpoint.ts';
import { isSignedByLog } from './log-key.ts';
import type { LogKey } from './log-key.ts';
import { hashLeaf, rootFromProof } from './merkle-proof.ts';

/**
 * Requires the log's signature under the promise to include an entry (Rekor v1's signed entry timestamp: over the
 * canonical JSON of body, time, log id and index). Throws ERR_LOG_SET.
 */
export function verifyPromise(entry: TransparencyLogEntry, key: LogKey): void {
  const signature = entry.inclusionPromise?.signedEntryTimestamp;
  // In this order the members are sorted, which makes this the canonical form (RFC 8785).
  const promised = JSON.stringify({
    body: entry.canonicalizedBody.toString('base64'),
    integratedTime: Number(entry.integratedTime),
    logID: key.logId,
    logIndex: Number(entry.logIndex),
  });
  if (signature !== undefined && isSignedByLog(key, Buffer.from(promised), signature)) return;
  throw new AppError('ERR_LOG_SET', "the entry's signed entry timestamp is not the log's", {
    kind: 'passing',
    remedy: "Check that the trust root holds this log's key.",
  });
}

/**
 * Requires that an entry is in the tree that the log's signed checkpoint names.
 * Throws ERR_LOG_INCLUSION_PROOF, ERR_LOG_CHECKPOINT.
 */
export function verifyInclusion(entry: TransparencyLogEntry, key: LogKey): void {
  const proof = entry.inclusionProof;
  if (proof?.checkpoint === undefined) throw notIncluded('there is none, or it has no checkpoint');
  const checkpoint = openCheckpoint(proof.checkpoint.envelope, key);
  const root = rootFromProof(hashLeaf(entry.canonicalizedBody), {
    logIndex: BigInt(proof.logIndex),
    treeSize: checkpoint.treeSize,
    hashes: proof.hashes,
  });
  if (!root.equals(checkpoint.rootHash)) throw notIncluded("it leads to another root than the checkpoint's");
}

function notIncluded(why: string): AppError {
  return new AppError('ERR_LOG_INCLUSION_PROOF', `the inclusion proof does not hold: ${why}`, {
    kind: 'passing',
    remedy: 'Do not trust the log until its operator has explained this.',
  });
}
