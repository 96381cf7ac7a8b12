import { unexplained } from './alarm.ts';
import type { Alarm } from './alarm.ts';
import type { CertificateOrigin } from './certificate-origin.ts';
import type { EntryVerifier } from './entry-verifier.ts';
import type { IntentMemory } from './intent-memory.ts';
import type { PendingEntry } from './monitor-state.ts';
import type { ReadEntry } from './read-entry.ts';
import { isWatched } from './watched-signers.ts';
import type { WatchedSigners } from './watched-signers.ts';

/** What became of an entry. */
export type EntryVerdict = 'foreign' | 'explained' | 'pending' | 'forged';

// More unexplained entries than this are no matter of a controller that is late: the rest is alarmed at once.
const defaultMaxPending = 10_000;

/** Tells entries of ours, which a record explains, from those that somebody else made in our name. */
export class EntryJudge {
  readonly #log: string;
  readonly #signers: WatchedSigners;
  readonly #origin: CertificateOrigin;
  readonly #intents: IntentMemory;
  readonly #maxPending: number;
  #pending: PendingEntry[];

  constructor(parts: {
    readonly log: string;
    readonly signers: WatchedSigners;
    readonly origin: CertificateOrigin;
    readonly intents: IntentMemory;
    readonly pending: readonly PendingEntry[];
    readonly maxPending: number | undefined;
  }) {
    this.#log = parts.log;
    this.#signers = parts.signers;
    this.#origin = parts.origin;
    this.#intents = parts.intents;
    this.#pending = [...parts.pending];
    this.#maxPending = parts.maxPending ?? defaultMaxPending;
  }

  /** Entries of watched signers that nothing explains so far. */
  get pending(): readonly PendingEntry[] {
    return this.#pending;
  }

  /** True if more entries wait than are to be kept: {@link due} gives those that are too many. */
  get isFull(): boolean {
    return this.#pending.length > this.#maxPending;
  }

  /**
   * Judges one entry; what nothing explains waits for {@link due}. What bears our name only in certificates that no
   * authority of ours issued is forged: anybody can put that into a log, and no verifier accepts it.
   */
  judge(entry: ReadEntry, readAtMs: number): EntryVerdict {
    this.#intents.confirm(entry);
    const named = entry.verifiers.filter((verifier) => isWatched(this.#signers, verifier));
    if (named.length === 0) return 'foreign';
    const genuine = named.filter((verifier) => this.#isGenuine(verifier));
    if (genuine.length === 0) return 'forged';
    const pending = { ...entry, verifiers: genuine.map(withoutDer), readAtMs };
    if (this.#isExplained(pending)) return 'explained';
    this.#pending.push(pending);
    return 'pending';
  }

  /** Drops what is explained by now; gives what has waited since `beforeMs` or earlier, and what is too much. */
  due(beforeMs: number): readonly PendingEntry[] {
    const waiting = this.#pending.filter((entry) => {
      if (!this.#isExplained(entry)) return true;
      this.#intents.confirm(entry);
      return false;
    });
    this.#pending = waiting;
    return waiting.filter(
      ({ readAtMs }, at) => readAtMs <= beforeMs || waiting.length - at > this.#maxPending,
    );
  }

  /** Takes entries out of those that wait, and gives the alarms about them. */
  condemn(entries: readonly PendingEntry[]): readonly Alarm[] {
    const condemned = new Set(entries);
    this.#pending = this.#pending.filter((entry) => !condemned.has(entry));
    return entries.map((entry) => unexplained(this.#log, entry, entry.verifiers));
  }

  #isGenuine(verifier: EntryVerifier): boolean {
    return this.#signers.fingerprints.has(verifier.fingerprint) || this.#origin.isGenuine(verifier);
  }

  #isExplained(entry: PendingEntry): boolean {
    return this.#intents.explains(
      entry,
      entry.verifiers.map(({ fingerprint }) => fingerprint),
    );
  }
}

function withoutDer({ fingerprint, certificate }: EntryVerifier): EntryVerifier {
  if (certificate === undefined) return { fingerprint };
  const { der: _, ...told } = certificate;
  return { fingerprint, certificate: told };
}
