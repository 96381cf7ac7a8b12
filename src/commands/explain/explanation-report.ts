import type { AppliedException, ImageJudgement } from '../../policy/judgement.ts';
import type { EvidenceLayout } from '../../model/signing-record.ts';
import type { BuildSummary } from './build-summary.ts';
import type { SbomSummary } from './sbom-summary.ts';

/**
 * How far a piece of evidence may be believed. `accepted`: it verified, and a policy takes its signer. `verified`: it
 * verified, but no policy here asked for it or takes its signer. `rejected`: it did not verify, and what it says is not told.
 */
export type Standing = 'accepted' | 'verified' | 'rejected';

/** What is known of a log entry that evidence brings along. */
export interface ExplainedEntry {
  readonly logId: string;
  readonly logIndex: number;
  /** Address that the trust root has for the log. */
  readonly log?: string;
  /** RFC 3339; logs of the newer kind tell none. */
  readonly integratedAt?: string;
  /** `proven`: the inclusion proof leads to a checkpoint that the log signed; `promised`: the log signed that it would include it. */
  readonly offline: 'proven' | 'promised';
  /** Size of the tree that it was proven to be in. */
  readonly treeSize?: number;
  /** What the log itself says now; only where it was asked. */
  readonly online?: { readonly isIncluded: boolean; readonly message: string };
}

/** One piece of evidence beside an image. */
export interface ExplainedPiece {
  readonly layout: EvidenceLayout;
  readonly ref: string;
  /** The tag that it lies behind, or that it is a referrer. */
  readonly place: string;
  readonly standing: Standing;
  /** Only of what verified. */
  readonly kind?: 'signature' | 'attestation';
  readonly predicateType?: string;
  readonly signer?:
    { readonly subject: string; readonly issuer: string } | { readonly keyFingerprint: string };
  readonly witnessedAt?: readonly string[];
  readonly entries: readonly ExplainedEntry[];
  /** Why it does not count. */
  readonly reason?: { readonly code: string; readonly message: string };
}

/** Something that a verified statement says, and which. */
export interface Attested<Value> {
  readonly ref: string;
  readonly standing: Exclude<Standing, 'rejected'>;
  readonly signer: string;
  readonly value: Value;
}

/** All that is known of an image. */
export interface ImageExplanation {
  readonly image: string;
  /** `HOST/PATH@sha256:HEX`. */
  readonly pinned: string;
  /** RFC 3339. */
  readonly at: string;
  /** What the policies say; absent where none were given. */
  readonly judgement?: ImageJudgement;
  readonly exceptions: readonly AppliedException[];
  readonly builds: readonly Attested<BuildSummary>[];
  readonly sboms: readonly Attested<SbomSummary>[];
  readonly evidence: readonly ExplainedPiece[];
  /** Places and pieces that could not be read. */
  readonly obstacles: readonly string[];
}
