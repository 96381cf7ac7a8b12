import type { LeaseRecord } from './lease-record.ts';

interface Sighting {
  readonly record: LeaseRecord;
  /** When this process saw the record change, by its own clock. */
  readonly sinceMs: number;
}

/**
 * Leases as this process saw them. Whether one has run out is judged by the time that passed here since it was seen to
 * change, as client-go does it: the clocks of different machines are never compared, only their pace.
 */
export class LeaseSightings {
  readonly #seen = new Map<string, Sighting>();

  /** Takes what one list showed; what it leaves out is gone. */
  see(records: readonly LeaseRecord[], nowMs: number): void {
    const names = new Set(records.map(({ name }) => name));
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name);
    for (const record of records) this.note(record, nowMs);
  }

  /** Takes one Lease as it was read or written just now. */
  note(record: LeaseRecord, nowMs: number): void {
    const before = this.#seen.get(record.name);
    const isSame = before !== undefined && stateOf(before.record) === stateOf(record);
    this.#seen.set(record.name, { record, sinceMs: isSame ? before.sinceMs : nowMs });
  }

  find(name: string): LeaseRecord | undefined {
    return this.#seen.get(name)?.record;
  }

  /** Who holds it now; undefined if it is free, ran out or does not exist. */
  holderOf(name: string, nowMs: number): string | undefined {
    const seen = this.#seen.get(name);
    if (seen === undefined || seen.record.holder === '') return undefined;
    return nowMs - seen.sinceMs > seen.record.durationMs ? undefined : seen.record.holder;
  }

  /** Leases that were last seen to change more than `ms` ago. */
  unchangedFor(ms: number, nowMs: number): readonly LeaseRecord[] {
    const all = [...this.#seen.values()];
    return all.filter(({ sinceMs }) => nowMs - sinceMs > ms).map(({ record }) => record);
  }

  names(): readonly string[] {
    return [...this.#seen.keys()];
  }
}

/** Differs after each renewal, but not when somebody only labels the object. */
function stateOf({ holder, renewTime, transitions }: LeaseRecord): string {
  return JSON.stringify([holder, renewTime, transitions]);
}
