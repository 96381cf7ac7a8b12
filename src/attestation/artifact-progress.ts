import { isAppError } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import { loggedEntriesOf } from '../model/signing-record.ts';
import type {
  RecordedArtifact,
  RecordedDestination,
  RecordedLogEntry,
  SigningRecord,
} from '../model/signing-record.ts';
import { artifactKey, destinationKey } from './planned-artifact.ts';
import type { Destination, PlannedArtifact } from './planned-artifact.ts';
import type { SignedArtifact } from './signed-artifact.ts';

// What the SigningRecord takes; one is added per certificate that an outage outlasts.
const maxFingerprints = 100;

/** How far one artifact has come in this try; starts from what the record of an earlier try says. */
export class ArtifactProgress {
  readonly planned: PlannedArtifact;
  readonly #fingerprints: Set<string>;
  readonly #stored = new Map<string, RecordedDestination>();
  readonly #unclear = new Set<string>();
  #entries: readonly RecordedLogEntry[];
  #fault: AppError | undefined;

  constructor(planned: PlannedArtifact, earlier: SigningRecord | undefined) {
    const known = earlier?.artifacts.find((artifact) => artifactKey(artifact) === artifactKey(planned));
    this.planned = planned;
    this.#fingerprints = new Set(known?.keyFingerprints);
    this.#entries = known === undefined ? [] : loggedEntriesOf(known);
  }

  /** True if there is something to sign for it: a destination lacks it, or the run is still to carry it. */
  get isWanted(): boolean {
    return this.missing.length > 0 || this.planned.isKeptOnRun;
  }

  /** Destinations that are known not to hold the artifact yet. */
  get missing(): readonly Destination[] {
    return this.planned.destinations.filter((destination) => {
      const key = destinationKey(destination);
      return !this.#stored.has(key) && !this.#unclear.has(key);
    });
  }

  get fault(): AppError | undefined {
    return this.#fault;
  }

  /** Notes that this key is about to sign. */
  intend(fingerprint: string): void {
    this.#fingerprints.add(fingerprint);
  }

  /** Notes the entries that logs took, in place of those of an earlier signature. */
  noteEntries(entries: readonly RecordedLogEntry[]): void {
    if (entries.length > 0) this.#entries = entries;
  }

  noteStored(destination: Destination, ref: string): void {
    this.#stored.set(destinationKey(destination), { layout: destination.layout, ref });
  }

  /** Notes that a destination cannot be looked into: writing there blindly could leave the same evidence twice. */
  noteUnclear(destination: Destination, fault: AppError): void {
    this.#unclear.add(destinationKey(destination));
    this.noteFault(fault);
  }

  /** Notes what went wrong; a permanent fault outweighs a passing one. */
  noteFault(fault: AppError): void {
    if (this.#fault === undefined || this.#fault.kind === 'passing') this.#fault = fault;
  }

  toRecorded(): RecordedArtifact {
    const { kind, layout, subject, payloadDigest, signedDigest } = this.planned;
    const [entry, ...furtherEntries] = this.#entries;
    return {
      kind,
      layout,
      subject,
      payloadDigest,
      ...(signedDigest === undefined ? {} : { signedDigest }),
      keyFingerprints: [...this.#fingerprints].slice(-maxFingerprints),
      ...(entry === undefined ? {} : { entry }),
      ...(furtherEntries.length === 0 ? {} : { furtherEntries }),
      destinations: [...this.#stored.values()],
    };
  }
}

/** A signed artifact beside the progress that it belongs to. */
export interface SignedProgress {
  readonly progress: ArtifactProgress;
  readonly artifact: SignedArtifact;
}

/** Notes an AppError with the artifact; anything else is a bug of ours and ends the try. */
export function noteFault(progress: ArtifactProgress, error: unknown): void {
  if (!isAppError(error)) throw error;
  progress.noteFault(error);
}
