import type { Clock } from '../../model/clock.ts';
import type { LeaseRecord } from './lease-record.ts';

/** A bucket as whoever works on it sees it. */
export interface Holding {
  readonly bucket: number;
  /** Aborts before anybody else can hold the bucket: nothing may be done for it afterwards. */
  readonly signal: AbortSignal;
}

/** What a held bucket is made of. */
export interface HeldBucketParts {
  readonly bucket: number;
  readonly clock: Pick<Clock, 'sleep'>;
  /** How long a renewal counts from the moment it was asked for, in milliseconds. */
  readonly validMs: number;
  /** Called once when the time runs out without a renewal. */
  readonly onExpired: () => void;
}

/** One bucket that this process holds, with the Lease as it was written last. */
export class HeldBucket implements Holding {
  readonly bucket: number;
  record: LeaseRecord;
  /** It is being given up: no work on it begins any more. */
  isLeaving = false;
  readonly #parts: HeldBucketParts;
  readonly #ending = new AbortController();
  #timer = new AbortController();

  constructor(parts: HeldBucketParts, record: LeaseRecord, agedMs: number) {
    this.bucket = parts.bucket;
    this.record = record;
    this.#parts = parts;
    this.#arm(agedMs);
  }

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** The Lease was written again, upon a request made `agedMs` ago. */
  renew(record: LeaseRecord, agedMs: number): void {
    this.record = record;
    this.#arm(agedMs);
  }

  /** Tells whoever works on it to end; the Lease itself is still ours. */
  end(reason: string): void {
    this.#ending.abort(new DOMException(reason, 'AbortError'));
  }

  /** It is ours no more. */
  drop(reason: string): void {
    this.#timer.abort();
    this.end(reason);
  }

  #arm(agedMs: number): void {
    const { clock, validMs, onExpired } = this.#parts;
    this.#timer.abort();
    const timer = new AbortController();
    this.#timer = timer;
    clock.sleep(Math.max(0, validMs - agedMs), timer.signal).then(
      () => {
        if (timer.signal.aborted) return;
        this.end('the Lease was not renewed in time');
        onExpired();
      },
      () => undefined,
    );
  }
}
