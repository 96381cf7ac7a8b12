import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { TrustRoot } from './trust-root.ts';
import { verificationFault } from './verification-fault.ts';

/** When evidence was signed, as far as somebody vouches for it. */
export interface ProofTimes {
  /** Verified times at which the signature existed. */
  readonly witnessed: readonly Date[];
  /** The present instant, which counts where nobody witnessed a time. */
  readonly at: Date;
}

/** Rekor v2's kinds; `intoto` 0.0.2 is one of Rekor v1. */
const kindsOfRekorV2: ReadonlySet<string> = new Set(['hashedrekord 0.0.2', 'dsse 0.0.2']);

/**
 * What @sigstore/verify leaves open about an entry whose inclusion it verified: that a log whose proof alone vouches for the
 * entry was trusted at its time (the library compares times of promises only), and that a Rekor v2 entry stands where it says.
 * In Rekor v1 the index counts over several trees, and the promise covers it. Throws ERR_VERIFY_CHECKPOINT,
 * ERR_VERIFY_INCLUSION_PROOF.
 */
export function requireProvenEntry(
  entry: TransparencyLogEntry,
  times: ProofTimes,
  { material }: Pick<TrustRoot, 'material'>,
): void {
  if (entry.inclusionPromise === undefined) requireTrustedInTime(entry, times, material.tlogs);
  const { kind, version } = entry.kindVersion;
  if (kindsOfRekorV2.has(`${kind} ${version}`) && entry.inclusionProof?.logIndex !== entry.logIndex) {
    throw verificationFault(
      'ERR_VERIFY_INCLUSION_PROOF',
      `the log entry says that its index is ${entry.logIndex}; its proof is about another one`,
    );
  }
}

function requireTrustedInTime(
  { logId: { keyId } }: TransparencyLogEntry,
  { witnessed, at }: ProofTimes,
  logs: TrustRoot['material']['tlogs'],
): void {
  const known = logs.filter(({ logID }) => logID.equals(keyId));
  const times = witnessed.length === 0 ? [at] : witnessed;
  if (times.some((time) => known.some(({ validFor: { start, end } }) => start <= time && time <= end)))
    return;
  throw verificationFault(
    'ERR_VERIFY_CHECKPOINT',
    `the trust root's key of the log was not valid ${
      witnessed.length === 0 ? 'now, and nothing tells when it was signed' : 'when it was signed'
    }`,
  );
}
