import type { Digest } from './digest.ts';

/** The three kinds of evidence that a run's image gets. */
export type ArtifactKind = 'signature' | 'provenance' | 'sbom';

/** How evidence lies beside the image: cosign's `.sig`/`.att` tag, or a Sigstore bundle as OCI 1.1 referrer. */
export type EvidenceLayout = 'tag' | 'referrer';

/** Where a transparency log took an entry of ours. */
export interface RecordedLogEntry {
  /** Base URL of the log. */
  readonly log: string;
  readonly logIndex: number;
  /** Key id of the log, hex. */
  readonly logId: string;
  /** Seconds since the epoch. */
  readonly integratedTime: number;
}

/** One destination of one artifact, with what was reached there. */
export interface RecordedDestination {
  readonly layout: EvidenceLayout | 'run';
  /** Where it lies: `HOST/PATH@digest`, or the annotation of the run. */
  readonly ref: string;
}

/**
 * Intent and progress for one artifact. What may reach the log is written before it is sent (`payloadDigest`,
 * `keyFingerprints`), so that the log monitor can tell our entries from an intruder's even after a crash.
 */
export interface RecordedArtifact {
  readonly kind: ArtifactKind;
  /** Log entries are per layout for image signatures and shared by both layouts for attestations. */
  readonly layout: EvidenceLayout | 'shared';
  /** `NAME@DIGEST` of the first subject. */
  readonly subject: string;
  /** SHA-256 of the signed payload: the number that the log entry holds. */
  readonly payloadDigest: Digest;
  /** SHA-256 of the bytes under the signature where they are not the payload itself: what an entry of Rekor v2 holds. */
  readonly signedDigest?: Digest;
  /** Fingerprints of every key that may have signed it, oldest first. */
  readonly keyFingerprints: readonly string[];
  readonly entry?: RecordedLogEntry;
  /** Entries of the other logs, where more than one is asked for. */
  readonly furtherEntries?: readonly RecordedLogEntry[];
  readonly destinations: readonly RecordedDestination[];
}

/** Every entry that logs took of an artifact, the first log's first. */
export function loggedEntriesOf({
  entry,
  furtherEntries = [],
}: Pick<RecordedArtifact, 'entry' | 'furtherEntries'>): readonly RecordedLogEntry[] {
  return entry === undefined ? furtherEntries : [entry, ...furtherEntries];
}

/** `SigningRecord` of `chainwright.dev/v1alpha1`: what was meant and what was done for one run. Named by the run's UID. */
export interface SigningRecord {
  readonly namespace: string;
  /** UID of the run. */
  readonly uid: string;
  readonly run: { readonly kind: 'TaskRun'; readonly name: string };
  readonly phase: 'Intended' | 'Complete' | 'Failed';
  readonly artifacts: readonly RecordedArtifact[];
  /** Code and message of the last fault, if any. */
  readonly fault?: string;
  /** Opaque version for optimistic concurrency, given by the store. */
  readonly version?: string;
}

/** Where records live: the API server, or a folder when there is no cluster. */
export interface RecordStore {
  find(
    key: { readonly namespace: string; readonly uid: string },
    options: { readonly signal: AbortSignal },
  ): Promise<SigningRecord | undefined>;
  /** Creates or replaces the record and gives it with its new version. */
  save(record: SigningRecord, options: { readonly signal: AbortSignal }): Promise<SigningRecord>;
}
