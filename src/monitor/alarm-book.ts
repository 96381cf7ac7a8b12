import type { Alarm } from './alarm.ts';

/** An alarm that was raised. */
export interface RaisedAlarm extends Alarm {
  /** RFC 3339. */
  readonly raisedAt: string;
}

/** The book as it is stored. */
export interface StoredAlarms {
  readonly count: number;
  /** Entries with a made-up certificate in our name. */
  readonly forged: number;
  readonly last: RaisedAlarm | undefined;
  /** Those that a receiver does not have yet, oldest first. */
  readonly undelivered: readonly RaisedAlarm[];
  /** Those that it never will have: there were too many, or it was away for too long. */
  readonly dropped: number;
}

/** The book of a monitor that never raised an alarm. */
export const noAlarms: StoredAlarms = { count: 0, forged: 0, last: undefined, undelivered: [], dropped: 0 };
// In a flood the first ones tell the most.
const maxUndelivered = 200;

/** Every alarm of one monitor, counted over restarts, and those that have yet to be delivered. */
export class AlarmBook {
  readonly #isDelivered: boolean;
  #stored: StoredAlarms;

  /** `isDelivered`: there is a receiver, for whom alarms are kept. */
  constructor(
    stored: StoredAlarms = noAlarms,
    { isDelivered = false }: { readonly isDelivered?: boolean } = {},
  ) {
    this.#isDelivered = isDelivered;
    this.#stored = isDelivered ? stored : { ...stored, undelivered: [] };
  }

  /** Notes an alarm, and that it was raised at that time. */
  note(alarm: Alarm, at: Date): void {
    const last = { ...alarm, raisedAt: at.toISOString() };
    const { count, undelivered, dropped } = this.#stored;
    const isKept = this.#isDelivered && undelivered.length < maxUndelivered;
    this.#stored = {
      ...this.#stored,
      count: count + 1,
      last,
      undelivered: isKept ? [...undelivered, last] : undelivered,
      dropped: dropped + (this.#isDelivered && !isKept ? 1 : 0),
    };
  }

  noteForged(): void {
    this.#stored = { ...this.#stored, forged: this.#stored.forged + 1 };
  }

  /** Takes an alarm out of those that are to be delivered. */
  settle(alarm: RaisedAlarm, outcome: 'delivered' | 'dropped'): void {
    const { undelivered, dropped } = this.#stored;
    this.#stored = {
      ...this.#stored,
      undelivered: undelivered.filter((one) => one !== alarm),
      dropped: dropped + (outcome === 'dropped' ? 1 : 0),
    };
  }

  /** All of it, to be read and to be stored. */
  toStored(): StoredAlarms {
    return this.#stored;
  }
}
