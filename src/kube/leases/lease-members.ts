import type { LeaseRecord } from './lease-record.ts';
import type { LeaseSightings } from './lease-sightings.ts';
import type { LeaseStore } from './lease-store.ts';

/** What {@link LeaseMembers} are made of. */
export interface LeaseMembersParts {
  readonly store: LeaseStore;
  readonly sightings: LeaseSightings;
  readonly group: string;
  readonly identity: string;
  readonly durationMs: number;
  readonly elapsedMs: () => number;
}

// What is left of a replica that went without a word is removed after so many durations.
const forgottenAfter = 10;

/** The replicas of a group: each shows that it lives by a Lease of its own, so that one that holds nothing counts too. */
export class LeaseMembers {
  readonly #parts: LeaseMembersParts;
  #own: LeaseRecord | undefined;

  constructor(parts: LeaseMembersParts) {
    this.#parts = parts;
  }

  /** Shows that this replica lives. */
  async announce(signal: AbortSignal): Promise<void> {
    const { store, identity, durationMs } = this.#parts;
    const name = this.#nameOf(identity);
    const options = { durationMs, signal };
    this.#own =
      (await store.hold(name, this.#own, options)) ??
      (await store.hold(name, await store.read(name, signal), options));
  }

  /** Identities of the replicas that live, as far as was seen. */
  alive(): readonly string[] {
    const { sightings, elapsedMs } = this.#parts;
    const nowMs = elapsedMs();
    const holders = this.#names().map((name) => sightings.holderOf(name, nowMs));
    return holders.filter((holder) => holder !== undefined);
  }

  /** Removes what is left of replicas that went without a word. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { store, sightings, durationMs, elapsedMs } = this.#parts;
    const gone = sightings
      .unchangedFor(durationMs * forgottenAfter, elapsedMs())
      .filter(({ name }) => name.startsWith(this.#nameOf('')));
    await Promise.all(gone.map((record) => store.remove(record, signal)));
  }

  /** This replica goes. */
  async leave(signal: AbortSignal): Promise<void> {
    if (this.#own !== undefined) await this.#parts.store.remove(this.#own, signal);
  }

  #names(): readonly string[] {
    return this.#parts.sightings.names().filter((name) => name.startsWith(this.#nameOf('')));
  }

  #nameOf(identity: string): string {
    return `${this.#parts.group}-member-${identity}`;
  }
}
