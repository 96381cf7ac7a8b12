import { hash } from 'node:crypto';
import { loggedEntriesOf } from '../model/signing-record.ts';
import type { RecordedArtifact, SigningRecord } from '../model/signing-record.ts';
import type { ReadEntry } from './read-entry.ts';

/** An entry that a record of ours says the log took. */
export interface PromisedEntry {
  readonly logIndex: number;
  readonly payloadDigest: string;
  /** See {@link RecordedArtifact}. */
  readonly signedDigest?: string;
  readonly keyFingerprints: readonly string[];
  /** `NAMESPACE/UID` of the record. */
  readonly record: string;
  /** `NAME@DIGEST`. */
  readonly subject: string;
  /** When the log was first seen to end before it, in milliseconds since the epoch. */
  readonly awaitedSinceMs?: number;
}

/** How far a log was read, and how long one waits for what it has not. */
export interface Waiting {
  readonly end: number;
  readonly nowMs: number;
  readonly patienceMs: number;
}

/** The memory as it is stored. */
export interface StoredIntents {
  /** Payload digest and key fingerprint, and the index at which their entry was found. */
  readonly noted: readonly (readonly [key: string, foundAt: number | null])[];
  readonly promised: readonly PromisedEntry[];
}

// With 7 pairs for an image of usual layouts some 35,000 images; full, it takes about 50 MB for each log.
const defaultMaxNoted = 250_000;
const maxStored = 50_000;
const maxPromised = 10_000;

/**
 * What our controller meant to sign: pairs of payload and key, which it noted before it signed. Outlives the records
 * themselves, which are pruned, up to 250,000 pairs, of which the last 50,000 are stored; those that were noted first are
 * forgotten first.
 */
export class IntentMemory {
  readonly #logIds: ReadonlySet<string>;
  readonly #noted: Map<string, number | null>;
  readonly #promised: Map<number, PromisedEntry>;
  readonly #maxNoted: number;
  /** Pairs that are looked for, and whether a record named them since. */
  #sought = new Map<string, boolean>();

  /** `logIds`: key ids of the log that is followed; what records say of other logs is left out. */
  constructor(
    logIds: readonly string[],
    stored: StoredIntents = { noted: [], promised: [] },
    { maxNoted = defaultMaxNoted }: { readonly maxNoted?: number } = {},
  ) {
    this.#logIds = new Set(logIds);
    this.#maxNoted = maxNoted;
    this.#noted = new Map(stored.noted);
    this.#promised = new Map(stored.promised.map((promised) => [promised.logIndex, promised]));
  }

  /** Notes what a record means to sign, and which entries it says the log took. */
  note(record: Pick<SigningRecord, 'namespace' | 'uid' | 'artifacts'>): void {
    for (const artifact of record.artifacts) {
      for (const key of keysOf(artifact)) {
        const foundAt = this.#noted.get(key) ?? null;
        this.#noted.delete(key);
        this.#noted.set(key, foundAt);
        if (this.#sought.has(key)) this.#sought.set(key, true);
      }
      this.#notePromises(artifact, `${record.namespace}/${record.uid}`);
    }
    trim(this.#noted, this.#maxNoted);
    trim(this.#promised, maxPromised);
  }

  /**
   * Keeps what records say of these entries from now on, however many others are noted after them: there may be more
   * records than can be remembered. Until it is called again.
   */
  seek(entries: readonly Pick<ReadEntry, 'payloadDigest' | 'verifiers'>[]): void {
    const keys = entries.flatMap(({ payloadDigest, verifiers }) =>
      payloadDigest === undefined
        ? []
        : verifiers.map(({ fingerprint }) => keyOf(payloadDigest, fingerprint)),
    );
    this.#sought = new Map(keys.map((key) => [key, this.#isKnown(key)]));
  }

  /** True if that payload was meant to be signed with each of these keys. */
  explains({ payloadDigest }: Pick<ReadEntry, 'payloadDigest'>, fingerprints: readonly string[]): boolean {
    if (payloadDigest === undefined) return false;
    return fingerprints.every((fingerprint) => this.#isKnown(keyOf(payloadDigest, fingerprint)));
  }

  /** Notes that the log holds an entry, if it is one that was meant. */
  confirm({ payloadDigest, logIndex, verifiers }: ReadEntry): void {
    if (payloadDigest === undefined) return;
    for (const { fingerprint } of verifiers) {
      const key = keyOf(payloadDigest, fingerprint);
      if (!this.#isKnown(key)) continue;
      this.#noted.set(key, logIndex);
      const promised = this.#promised.get(logIndex);
      if (promised !== undefined && isAbout(promised, payloadDigest)) this.#promised.delete(logIndex);
    }
  }

  /**
   * Entries that the log was said to have taken, and that were not found: at an index below `end`, or beyond it for as
   * long as `patienceMs`.
   */
  unkept({ end, nowMs, patienceMs }: Waiting): readonly PromisedEntry[] {
    return [...this.#promised.values()].filter((promised) => {
      const { logIndex, awaitedSinceMs = nowMs } = promised;
      if (logIndex < end) return true;
      this.#promised.set(logIndex, { ...promised, awaitedSinceMs });
      return nowMs - awaitedSinceMs >= patienceMs;
    });
  }

  /** Has a promise done with, whether it was kept or not. */
  settle(promised: PromisedEntry): void {
    this.#promised.delete(promised.logIndex);
    for (const key of keysOf(promised)) this.#noted.set(key, promised.logIndex);
  }

  /** The last of it. */
  toStored(): StoredIntents {
    const tooMany = Math.max(0, this.#noted.size - maxStored);
    return { noted: [...this.#noted.entries().drop(tooMany)], promised: [...this.#promised.values()] };
  }

  #isKnown(key: string): boolean {
    return this.#noted.has(key) || this.#sought.get(key) === true;
  }

  #notePromises(artifact: RecordedArtifact, record: string): void {
    const { payloadDigest, signedDigest, keyFingerprints, subject } = artifact;
    for (const { logId, logIndex } of loggedEntriesOf(artifact)) {
      const isFound = keysOf(artifact).some((key) => this.#noted.get(key) === logIndex);
      if (!this.#logIds.has(logId) || isFound || this.#promised.has(logIndex)) continue;
      const signed = signedDigest === undefined ? {} : { signedDigest };
      this.#promised.set(logIndex, { logIndex, payloadDigest, ...signed, keyFingerprints, record, subject });
    }
  }
}

/** The memories of several monitors, which all are told the same. */
export class IntentMemories implements Pick<IntentMemory, 'note'> {
  readonly #memories = new Set<IntentMemory>();

  add(memory: IntentMemory): void {
    this.#memories.add(memory);
  }

  remove(memory: IntentMemory): void {
    this.#memories.delete(memory);
  }

  note(record: Parameters<IntentMemory['note']>[0]): void {
    for (const memory of this.#memories) memory.note(record);
  }
}

/** True if an entry with this digest is about that payload: Rekor v1 and v2 hold different digests of an envelope. */
export function isAbout(
  { payloadDigest, signedDigest }: Pick<PromisedEntry, 'payloadDigest' | 'signedDigest'>,
  digest: string | undefined,
): boolean {
  return digest !== undefined && (digest === payloadDigest || digest === signedDigest);
}

function keysOf({
  payloadDigest,
  signedDigest,
  keyFingerprints,
}: Pick<PromisedEntry, 'payloadDigest' | 'signedDigest' | 'keyFingerprints'>): readonly string[] {
  const digests = signedDigest === undefined ? [payloadDigest] : [payloadDigest, signedDigest];
  return digests.flatMap((digest) => keyFingerprints.map((fingerprint) => keyOf(digest, fingerprint)));
}

/** 128 bits are enough against somebody who looks for a pair that takes the place of one of ours. */
function keyOf(payloadDigest: string, fingerprint: string): string {
  return hash('sha256', `${payloadDigest} ${fingerprint}`, 'base64url').slice(0, 22);
}

/** A Map gives its keys in the order in which they came. */
function trim(map: Map<unknown, unknown>, max: number): void {
  for (const key of map.keys()) {
    if (map.size <= max) return;
    map.delete(key);
  }
}
