import type { Clock } from '../../model/clock.ts';
import { isAppError, messageOf } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import { bucketOfKey, planShare } from './bucket-share.ts';
import { HeldBucket } from './held-bucket.ts';
import type { Holding } from './held-bucket.ts';
import { LeaseMembers } from './lease-members.ts';
import { LeaseSightings } from './lease-sightings.ts';
import { LeaseStore } from './lease-store.ts';
import type { LeaseStoreParts } from './lease-store.ts';
import type { LeaseRecord } from './lease-record.ts';

/** How the times of a Lease relate, in milliseconds. */
export interface LeaseTimes {
  /** After so long without a change a Lease may be taken over. */
  readonly durationMs: number;
  /** After so long without a renewal its holder gives up by itself: shorter by more than clocks differ in pace. */
  readonly renewDeadlineMs: number;
  /** Pause between two looks. */
  readonly retryMs: number;
}

/** What {@link LeaseBuckets} are made of. */
export interface LeaseBucketsOptions extends Pick<LeaseStoreParts, 'client' | 'namespace'> {
  /** Name of the group: the Leases are called `GROUP-0`, `GROUP-1` ..., replicas `GROUP-member-IDENTITY`. */
  readonly group: string;
  /** One bucket: a single holder among all replicas. */
  readonly buckets: number;
  /** Unique to this process, a restart included: a name in lower case as objects have them. */
  readonly identity: string;
  /** A bucket is ours. What works on it ends when the signal aborts. */
  readonly onGained: (holding: Holding) => void;
  /** A bucket is ours no more, or about to be: it is handed on once this is done, at most `drainMs` later. */
  readonly onLost?: (bucket: number) => unknown;
  readonly drainMs?: number;
  /** Work in hand goes on while its bucket is handed on, until `onLost` is done; if absent the signal aborts first. */
  readonly letsFinish?: boolean;
  readonly times?: LeaseTimes;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds that only go forward; the process's own if absent. */
  readonly elapsedMs?: () => number;
  /** Numbers in [0, 1); `Math.random` if absent. */
  readonly random?: () => number;
}

/** How the buckets fare, for metrics and health. */
export interface LeaseHealth {
  /** Buckets that this process holds. */
  readonly held: readonly number[];
  /** Replicas that live, as far as is known. */
  readonly members: number;
  /** Message of the last request that failed, until one succeeds. */
  readonly fault: string | undefined;
}

/** A dead replica is followed within ten seconds; a request may fail once without a bucket being lost. */
export const defaultLeaseTimes: LeaseTimes = { durationMs: 8000, renewDeadlineMs: 5000, retryMs: 1500 };

const defaultDrainMs = 10_000;

/**
 * Shares buckets of work among replicas, each bucket by a Lease. Buckets are spread evenly over the replicas that live,
 * those of a dead one are taken over once its Leases ran out, and on shutdown they are handed on at once. What ran out is
 * judged by the time that passed here, never by times that others wrote.
 *
 *     const buckets = new LeaseBuckets({ group: 'runs', buckets: 16, onGained: ({ bucket, signal }) => ..., ... });
 *     const running = buckets.run({ signal });
 *     if (buckets.holds(key)) ...
 */
export class LeaseBuckets {
  readonly #options: LeaseBucketsOptions;
  readonly #times: LeaseTimes;
  readonly #store: LeaseStore;
  readonly #sightings = new LeaseSightings();
  readonly #members: LeaseMembers;
  readonly #held = new Map<number, HeldBucket>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #elapsedMs: () => number;
  #fault: string | undefined;

  constructor(options: LeaseBucketsOptions) {
    this.#options = options;
    this.#times = options.times ?? defaultLeaseTimes;
    this.#elapsedMs = options.elapsedMs ?? (() => performance.now());
    const { group, identity } = options;
    const { durationMs, renewDeadlineMs } = this.#times;
    this.#store = new LeaseStore({ ...options, requestMs: renewDeadlineMs / 2 });
    const parts = { store: this.#store, sightings: this.#sightings, elapsedMs: this.#elapsedMs };
    this.#members = new LeaseMembers({ ...parts, group, identity, durationMs });
  }

  /** Takes part until `signal` aborts, then hands on what is held. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { clock, random = Math.random } = this.#options;
    while (!signal.aborted) {
      await this.#look(signal);
      const pauseMs = this.#times.retryMs * (0.8 + 0.4 * random());
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
    await this.#leave();
  }

  /** The bucket of a key, the same in all replicas. */
  bucketOf(key: string): number {
    return bucketOfKey(key, this.#options.buckets);
  }

  /** True while the bucket of that key is ours and not being handed on. */
  holds(key: string): boolean {
    const held = this.#held.get(this.bucketOf(key));
    return held !== undefined && !held.isLeaving && !held.signal.aborted;
  }

  health(): LeaseHealth {
    const held = [...this.#held.values()]
      .filter(({ isLeaving, signal }) => !isLeaving && !signal.aborted)
      .map(({ bucket }) => bucket);
    return {
      held: held.toSorted((a, b) => a - b),
      members: this.#members.alive().length,
      fault: this.#fault,
    };
  }

  async #look(signal: AbortSignal): Promise<void> {
    const [isSeen, ...done] = await Promise.all([
      this.#attempt(this.#observe(signal), signal),
      ...this.#renewAll(signal),
      // A single bucket is nobody's share: whoever holds it keeps it.
      ...(this.#options.buckets === 1 ? [] : [this.#attempt(this.#members.announce(signal), signal)]),
    ]);
    if (isSeen && done.every((isDone) => isDone)) this.#fault = undefined;
    // Without a fresh look nothing is taken or given up; what is held is kept as long as it can be renewed.
    if (isSeen && !signal.aborted) await this.#share(signal);
  }

  async #observe(signal: AbortSignal): Promise<void> {
    const records = await this.#store.list(signal);
    this.#sightings.see(records, this.#elapsedMs());
    await this.#members.sweep(signal);
  }

  #renewAll(signal: AbortSignal): readonly Promise<boolean>[] {
    return [...this.#held.values()].map((held) => this.#attempt(this.#renew(held, signal), signal));
  }

  async #renew(held: HeldBucket, signal: AbortSignal): Promise<void> {
    const askedMs = this.#elapsedMs();
    const { durationMs } = this.#times;
    let record = await this.#store.hold(held.record.name, held.record, { durationMs, signal });
    if (record === undefined) {
      // An earlier renewal may have arrived although its answer did not.
      const now = await this.#store.read(held.record.name, signal);
      if (now?.holder !== this.#options.identity) {
        this.#lose(held, 'somebody else holds the Lease');
        return;
      }
      record = await this.#store.hold(now.name, now, { durationMs, signal });
    }
    if (record !== undefined && this.#held.get(held.bucket) === held) {
      this.#sightings.note(record, this.#elapsedMs());
      held.renew(record, this.#elapsedMs() - askedMs);
    }
  }

  async #share(signal: AbortSignal): Promise<void> {
    const { identity, buckets } = this.#options;
    const nowMs = this.#elapsedMs();
    const holders = Array.from({ length: buckets }, (_, bucket) => {
      if (this.#held.has(bucket)) return identity;
      const holder = this.#sightings.holderOf(this.#bucketName(bucket), nowMs);
      // What an earlier answer of ours came too late for may be taken again.
      return holder === identity ? undefined : holder;
    });
    const { take, release } = planShare({ self: identity, members: this.#members.alive(), holders });
    for (const bucket of release) this.#startLeaving(bucket, signal);
    await Promise.all(take.map((bucket) => this.#attempt(this.#take(bucket, signal), signal)));
  }

  async #take(bucket: number, signal: AbortSignal): Promise<void> {
    const { clock, log, onGained } = this.#options;
    const { durationMs, renewDeadlineMs } = this.#times;
    const name = this.#bucketName(bucket);
    const askedMs = this.#elapsedMs();
    const record = await this.#store.hold(name, this.#sightings.find(name), { durationMs, signal });
    if (record === undefined || signal.aborted) return;
    this.#sightings.note(record, this.#elapsedMs());
    const held = new HeldBucket(
      {
        ...{ bucket, clock, validMs: renewDeadlineMs },
        onExpired: () => {
          this.#lose(held, 'the Lease was not renewed in time');
        },
      },
      record,
      this.#elapsedMs() - askedMs,
    );
    this.#held.set(bucket, held);
    log.info('a bucket of work was taken', { lease: name, transitions: record.transitions });
    void this.#tell(() => {
      onGained(held);
    });
  }

  #lose(held: HeldBucket, reason: string): void {
    if (this.#held.get(held.bucket) !== held) return;
    this.#held.delete(held.bucket);
    held.drop(reason);
    this.#options.log.warn('a bucket of work was lost', { lease: held.record.name, reason });
    if (!held.isLeaving) void this.#tell(() => this.#options.onLost?.(held.bucket));
  }

  #startLeaving(bucket: number, signal: AbortSignal): void {
    const held = this.#held.get(bucket);
    if (held === undefined || held.isLeaving) return;
    const leaving = this.#giveUp(held, signal).finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  /** Has the work on a bucket end, renewed as long as that takes, and lets go of its Lease. */
  async #giveUp(held: HeldBucket, signal: AbortSignal): Promise<void> {
    held.isLeaving = true;
    if (this.#options.letsFinish !== true) held.end('the bucket is handed on');
    await this.#drained(held.bucket);
    if (this.#held.get(held.bucket) !== held) return;
    this.#held.delete(held.bucket);
    held.drop('the bucket is handed on');
    await this.#attempt(this.#release(held.record, signal), signal);
    this.#options.log.info('a bucket of work was handed on', { lease: held.record.name });
  }

  async #release(record: LeaseRecord, signal: AbortSignal): Promise<void> {
    let released = await this.#store.release(record, signal);
    if (released === undefined) {
      // A renewal was under way.
      const now = await this.#store.read(record.name, signal);
      if (now?.holder === this.#options.identity) released = await this.#store.release(now, signal);
    }
    if (released !== undefined) this.#sightings.note(released, this.#elapsedMs());
  }

  async #drained(bucket: number): Promise<void> {
    const { onLost, clock, drainMs = defaultDrainMs } = this.#options;
    const isDone = new AbortController();
    const outcome = this.#tell(() => onLost?.(bucket));
    await Promise.race([outcome, clock.sleep(drainMs, isDone.signal).catch(() => undefined)]);
    isDone.abort();
  }

  /** Hands on what is held, and renews it until that is done. */
  async #leave(): Promise<void> {
    const { clock } = this.#options;
    const requests = new AbortController().signal;
    const isOver = new AbortController();
    for (const bucket of this.#held.keys()) this.#startLeaving(bucket, requests);
    const left = Promise.all(this.#leaving).then(() => {
      isOver.abort();
    });
    while (!isOver.signal.aborted) {
      await clock.sleep(this.#times.retryMs, isOver.signal).catch(() => undefined);
      await Promise.all(this.#renewAll(requests));
    }
    await left;
    await this.#attempt(this.#members.leave(requests), requests);
  }

  #bucketName(bucket: number): string {
    return `${this.#options.group}-${bucket}`;
  }

  async #attempt(work: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const fault = messageOf(error);
      if (this.#fault !== fault) {
        const code = isAppError(error) ? error.code : undefined;
        this.#options.log.warn('a Lease could not be read or written', { code, error: fault });
      }
      this.#fault = fault;
      return false;
    }
  }

  async #tell(callback: () => unknown): Promise<void> {
    try {
      await callback();
    } catch (error) {
      this.#options.log.error('what works on a bucket failed', { error: messageOf(error) });
    }
  }
}
