import type { RecordedArtifact, SigningRecord } from '../model/signing-record.ts';
import type { ReadEntry } from './read-entry.ts';

/** An entry that a record of ours says the log took. */
export interface PromisedEntry {
  readonly logIndex: number;
  readonly payloadDigest: string;
  readonly keyFingerprints: readonly string[];
  /** `NAMESPACE/UID` of the record. */
  readonly record: string;
  /** `NAME@DIGEST`. */
  readonly subject: string;
}

/** The memory as it is stored. */
export interface StoredIntents {
  /** Payload digest and key fingerprint, and the index at which their entry was found. */
  readonly noted: readonly (readonly [key: string, foundAt: number | null])[];
  readonly promised: readonly PromisedEntry[];
}

const maxNoted = 50_000;
const maxPromised = 10_000;

/**
 * What our controller meant to sign: pairs of payload and key, which it noted before it signed. Outlives the records
 * themselves, which are pruned, up to 50,000 pairs; the oldest are forgotten first.
 */
export class IntentMemory {
  readonly #logIds: ReadonlySet<string>;
  readonly #noted: Map<string, number | null>;
  readonly #promised: Map<number, PromisedEntry>;

  /** `logIds`: key ids of the log that is followed; what records say of other logs is left out. */
  constructor(logIds: readonly string[], stored: StoredIntents = { noted: [], promised: [] }) {
    this.#logIds = new Set(logIds);
    this.#noted = new Map(stored.noted);
    this.#promised = new Map(stored.promised.map((promised) => [promised.logIndex, promised]));
  }

  /** Notes what a record means to sign, and which entries it says the log took. */
  note(record: Pick<SigningRecord, 'namespace' | 'uid' | 'artifacts'>): void {
    for (const artifact of record.artifacts) {
      for (const fingerprint of artifact.keyFingerprints) {
        const key = keyOf(artifact.payloadDigest, fingerprint);
        const foundAt = this.#noted.get(key) ?? null;
        this.#noted.delete(key);
        this.#noted.set(key, foundAt);
      }
      this.#notePromise(artifact, `${record.namespace}/${record.uid}`);
    }
    trim(this.#noted, maxNoted);
    trim(this.#promised, maxPromised);
  }

  /** True if that payload was meant to be signed with each of these keys. */
  explains({ payloadDigest }: Pick<ReadEntry, 'payloadDigest'>, fingerprints: readonly string[]): boolean {
    if (payloadDigest === undefined) return false;
    return fingerprints.every((fingerprint) => this.#noted.has(keyOf(payloadDigest, fingerprint)));
  }

  /** Notes that the log holds an entry, if it is one that was meant. */
  confirm({ payloadDigest, logIndex, verifiers }: ReadEntry): void {
    if (payloadDigest === undefined) return;
    for (const { fingerprint } of verifiers) {
      const key = keyOf(payloadDigest, fingerprint);
      if (!this.#noted.has(key)) continue;
      this.#noted.set(key, logIndex);
      if (this.#promised.get(logIndex)?.payloadDigest === payloadDigest) this.#promised.delete(logIndex);
    }
  }

  /** Entries that the log was said to have taken at an index below `end`, and that were not found there. */
  unkept(end: number): readonly PromisedEntry[] {
    return [...this.#promised.values()].filter(({ logIndex }) => logIndex < end);
  }

  /** Has a promise done with, whether it was kept or not. */
  settle({ logIndex, payloadDigest, keyFingerprints }: PromisedEntry): void {
    this.#promised.delete(logIndex);
    for (const fingerprint of keyFingerprints) this.#noted.set(keyOf(payloadDigest, fingerprint), logIndex);
  }

  toStored(): StoredIntents {
    return { noted: [...this.#noted], promised: [...this.#promised.values()] };
  }

  #notePromise({ entry, payloadDigest, keyFingerprints, subject }: RecordedArtifact, record: string): void {
    if (entry === undefined || !this.#logIds.has(entry.logId)) return;
    const { logIndex } = entry;
    const isFound = keyFingerprints.some(
      (fingerprint) => this.#noted.get(keyOf(payloadDigest, fingerprint)) === logIndex,
    );
    if (isFound) return;
    this.#promised.set(logIndex, { logIndex, payloadDigest, keyFingerprints, record, subject });
  }
}

function keyOf(payloadDigest: string, fingerprint: string): string {
  return `${payloadDigest} ${fingerprint}`;
}

/** A Map gives its keys in the order in which they came. */
function trim(map: Map<unknown, unknown>, max: number): void {
  for (const key of map.keys()) {
    if (map.size <= max) return;
    map.delete(key);
  }
}
