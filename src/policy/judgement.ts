import type { Digest } from '../model/digest.ts';
import type { EvidenceLayout } from '../model/signing-record.ts';

/** Evidence that passed every check. */
export interface AcceptedEvidence {
  readonly layout: EvidenceLayout;
  /** `HOST/PATH@DIGEST` of the layer or referring manifest. */
  readonly ref: string;
  readonly signer:
    | {
        readonly subject: string;
        readonly issuer: string;
        readonly notBefore: string;
        readonly notAfter: string;
      }
    | { readonly keyFingerprint: string };
  readonly logEntries: readonly { readonly logId: string; readonly logIndex: number }[];
  /** Verified instants at which the signature existed, RFC 3339. */
  readonly witnessedAt: readonly string[];
}

/** Why a check did not pass. */
export interface CheckReason {
  /** Stable, listed in docs/errors.md. */
  readonly code: string;
  readonly message: string;
  /** Path into the attested document, with what the policy says and what is there. */
  readonly path?: string;
  readonly expected?: string;
  readonly found?: string;
  /** The evidence that is meant. */
  readonly ref?: string;
}

/** One check of an authority: the image's signature, an attestation, or a static rule. */
export interface CheckResult {
  /** `signature`, `static`, or the attestation's name. */
  readonly check: string;
  readonly predicateType?: string;
  readonly outcome: 'passed' | 'missing' | 'invalid';
  readonly evidence: readonly AcceptedEvidence[];
  /** Empty if it passed. */
  readonly reasons: readonly CheckReason[];
}

/** What an authority says: it vouches for the image if all its checks passed. */
export interface AuthorityResult {
  readonly authority: string;
  readonly kind: 'keyless' | 'key' | 'static';
  readonly passed: boolean;
  readonly checks: readonly CheckResult[];
}

/** An exception that lets an image off a policy. */
export interface AppliedException {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly reason: string;
  readonly requestedBy: string;
  readonly approvedBy: string;
  /** RFC 3339. */
  readonly expiresAt: string;
}

/** What a policy says: it is met if one authority vouches and the policy over all of them, if there is one, agrees. */
export interface PolicyResult {
  readonly policy: string;
  readonly mode: 'enforce' | 'warn';
  readonly evaluation: 'strict' | 'permissive';
  readonly passed: boolean;
  readonly authorities: readonly AuthorityResult[];
  /** Why the policy fails as a whole: it is broken, or its own rules are not met. */
  readonly reasons: readonly CheckReason[];
  /** Set where the image fails, and need not meet the policy. */
  readonly exception?: AppliedException;
}

/** What becomes of an image. */
export interface ImageJudgement {
  /** As it was asked for. */
  readonly image: string;
  readonly digest: Digest;
  readonly outcome: 'admitted' | 'warned' | 'denied';
  /** Policies that are about the image, by name. */
  readonly policies: readonly PolicyResult[];
  /** Why it is denied or warned of although no policy says so. */
  readonly reasons: readonly CheckReason[];
  /** What to do next; absent if it was admitted without a warning. */
  readonly nextStep?: string;
}
