import type { Digest } from '../model/digest.ts';
import { AppError, isAppError } from '../model/errors.ts';
import type { CertificateIssuers } from '../signing/certificate-issuers.ts';
import { requireIdentity } from '../signing/certificate-identity.ts';
import { CertificateMemory } from '../signing/certificate-memory.ts';
import { verificationFault } from '../signing/verification-fault.ts';
import { verifyByCertificate, verifySignedEntity } from '../signing/verification.ts';
import type { ExpectedSigner, VerificationDemands, VerifiedEvidence } from '../signing/verification.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import { parseClaim } from './evidence-claim.ts';
import type { EvidenceClaim } from './evidence-claim.ts';
import type { EvidencePiece } from './image-evidence.ts';

/** What an authority demands of evidence besides a good signature. */
export interface AuthorityDemands {
  readonly trustRoot: TrustRoot;
  /** Who must have witnessed the signature; `timestamp`: an RFC 3161 authority, log entries being left aside. */
  readonly witness: VerificationDemands['witness'] | 'timestamp';
  readonly requireSct: boolean;
  /** Rekor instances, asked in turn where evidence carries no log entry; absent: none is. */
  readonly searchLogs?: readonly string[];
  /** Who may have issued the certificate, where it is not for the trust root to say. */
  readonly issuers?: CertificateIssuers;
}

/** A piece of evidence of which every check passed, with what it says. */
export interface VerifiedPiece {
  readonly piece: EvidencePiece;
  readonly verified: VerifiedEvidence;
  readonly claim: EvidenceClaim;
}

/** What became of a piece: verified, or the first check that it failed. */
export type Finding = VerifiedPiece | { readonly piece: EvidencePiece; readonly fault: AppError };

/** Verifies pieces of evidence about one image at one instant; what several authorities demand alike is verified once. */
export class EvidenceVerifier {
  readonly #digest: Digest;
  readonly #at: Date;
  readonly #certificates: CertificateMemory;
  readonly #known = new Map<EvidencePiece, Map<string, VerifiedEvidence | AppError>>();

  constructor(digest: Digest, at: Date, certificates = new CertificateMemory()) {
    this.#digest = digest;
    this.#at = at;
    this.#certificates = certificates;
  }

  /** Verifies one piece: signature, certificate or key, log and timestamps, identity, and that it is about the image. */
  find(piece: EvidencePiece, signer: ExpectedSigner, demands: AuthorityDemands): Finding {
    try {
      const verified = this.#verify(piece, signer, demands);
      const claim = claimOf(piece, verified);
      if (!claim.isAbout(this.#digest)) throw aboutAnother(this.#digest);
      return { piece, verified, claim };
    } catch (error) {
      if (isAppError(error)) return { piece, fault: error };
      throw error;
    }
  }

  #verify(piece: EvidencePiece, signer: ExpectedSigner, demands: AuthorityDemands): VerifiedEvidence {
    if (signer.kind === 'key') {
      return requireTimestamp(
        verifySignedEntity(piece.material ?? piece.evidence, signer, this.#toVerification(demands)),
        demands,
      );
    }
    const verified = requireTimestamp(this.#verifyCertificate(piece, demands), demands);
    if (verified.signer.kind === 'certificate') requireIdentity(verified.signer.identity, signer.anyOf);
    return verified;
  }

  #verifyCertificate(piece: EvidencePiece, demands: AuthorityDemands): VerifiedEvidence {
    const key = JSON.stringify([
      demands.trustRoot.version,
      demands.witness,
      demands.requireSct,
      demands.issuers?.version,
    ]);
    const known = this.#known.get(piece) ?? new Map<string, VerifiedEvidence | AppError>();
    this.#known.set(piece, known);
    const outcome = known.get(key) ?? settle(piece, this.#toVerification(demands));
    known.set(key, outcome);
    if (isAppError(outcome)) throw outcome;
    return outcome;
  }

  #toVerification({ witness, ...demands }: AuthorityDemands): VerificationDemands {
    const witnessed = witness === 'timestamp' ? 'unsafe-none' : witness;
    return { ...demands, witness: witnessed, at: this.#at, certificates: this.#certificates };
  }
}

/** What verified bytes say: parsed already where they are the very same. */
function claimOf({ material, unverifiedClaim }: EvidencePiece, verified: VerifiedEvidence): EvidenceClaim {
  const isSame = material?.payload === verified.payload && material.payloadType === verified.payloadType;
  return isSame && unverifiedClaim !== undefined
    ? unverifiedClaim
    : parseClaim(verified.payload, verified.payloadType);
}

function settle(
  { material, evidence }: EvidencePiece,
  demands: VerificationDemands,
): VerifiedEvidence | AppError {
  try {
    return verifyByCertificate(material ?? evidence, demands);
  } catch (error) {
    if (isAppError(error)) return error;
    throw error;
  }
}

/** With log entries left aside, the only verified times are those of timestamp authorities. */
function requireTimestamp(verified: VerifiedEvidence, { witness }: AuthorityDemands): VerifiedEvidence {
  if (witness !== 'timestamp' || verified.witnessedAt.length > 0) return verified;
  throw verificationFault('ERR_VERIFY_TIMESTAMP', 'it has no timestamp of a timestamp authority');
}

/** ERR_VERIFY_SUBJECT: evidence of another image. */
export function aboutAnother(digest: Digest): AppError {
  return new AppError('ERR_VERIFY_SUBJECT', `it is about another image than ${digest}`, {
    kind: 'permanent',
    object: digest,
    remedy: 'Find out who put it there.',
  });
}
