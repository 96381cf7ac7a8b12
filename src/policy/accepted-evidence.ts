import type { VerifiedPiece } from './evidence-finding.ts';
import type { AcceptedEvidence } from './judgement.ts';

/** A verified piece of evidence as a result tells it. */
export function toAcceptedEvidence({ piece, verified }: VerifiedPiece): AcceptedEvidence {
  const { signer, logEntries, witnessedAt } = verified;
  return {
    layout: piece.layout,
    ref: piece.ref,
    signer:
      signer.kind === 'certificate'
        ? {
            ...signer.identity,
            notBefore: signer.notBefore.toISOString(),
            notAfter: signer.notAfter.toISOString(),
          }
        : { keyFingerprint: signer.fingerprint },
    logEntries: logEntries.map(({ logId, logIndex }) => ({ logId, logIndex })),
    witnessedAt: witnessedAt.map((time) => time.toISOString()),
  };
}
