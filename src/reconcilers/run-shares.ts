import { hash } from 'node:crypto';
import { LeaseBuckets } from '../kube/leases/lease-buckets.ts';
import type { Holding } from '../kube/leases/held-bucket.ts';
import type { LeaseBucketsOptions, LeaseHealth, LeaseTimes } from '../kube/leases/lease-buckets.ts';

/** What sharing runs among replicas takes. */
export interface RunSharesParts extends Pick<
  LeaseBucketsOptions,
  'client' | 'namespace' | 'identity' | 'clock' | 'log' | 'elapsedMs' | 'random'
> {
  /** The namespaces that are watched: replicas that watch others share nothing with us. */
  readonly watched: readonly string[];
  /** How long a run in work may go on while its share is handed on; then it is broken off. */
  readonly finishMs: number;
}

/** Told of shares that come and go. */
export interface ShareListener {
  readonly onGained: (share: number) => void;
  readonly onLost: (share: number) => void;
}

interface Share {
  readonly holding: Holding;
  /** Ends what is in work when it did not finish in time. */
  readonly ending: AbortController;
  readonly inWork: Set<Promise<undefined>>;
}

// Each is a Lease that is written every other second, so no more than a few replicas need.
const shares = 8;
// A replica that dies is followed within twelve seconds; a pause of seven in which it is not heard of does no harm.
const times: LeaseTimes = { durationMs: 10_000, renewDeadlineMs: 7000, retryMs: 2000 };
// What was broken off ends within this time before the share is let go all the same.
const abortGraceMs = 2000;

/**
 * The runs that this replica works off. Runs are dealt into shares by name, a Lease each; a run is in work in the replica
 * alone that holds its share, and broken off before another one may hold it.
 */
export class RunShares {
  readonly #parts: RunSharesParts;
  readonly #buckets: LeaseBuckets;
  readonly #held = new Map<number, Share>();
  #listener: ShareListener | undefined;

  constructor(parts: RunSharesParts) {
    const { watched, finishMs } = parts;
    this.#parts = parts;
    this.#buckets = new LeaseBuckets({
      ...parts,
      group: groupOf(watched),
      buckets: shares,
      times,
      drainMs: finishMs + abortGraceMs,
      letsFinish: true,
      onGained: (holding) => {
        this.#held.set(holding.bucket, { holding, ending: new AbortController(), inWork: new Set() });
        this.#listener?.onGained(holding.bucket);
      },
      onLost: (share) => this.#handOn(share),
    });
  }

  /** Takes part until `signal` aborts; then hands on each share as soon as nothing of it is in work. */
  async run({ signal, ...listener }: ShareListener & { readonly signal: AbortSignal }): Promise<void> {
    this.#listener = listener;
    await this.#buckets.run({ signal });
  }

  /** The share of a run, the same in all replicas. */
  shareOf(key: string): number {
    return this.#buckets.bucketOf(key);
  }

  /** True while the run is ours to begin work on. */
  holds(key: string): boolean {
    return this.#buckets.holds(key);
  }

  /** True in the one replica that does what is to be done once. */
  get isFirst(): boolean {
    return this.#buckets.health().held.includes(0);
  }

  health(): LeaseHealth {
    return this.#buckets.health();
  }

  /** Works on a run if it is ours; what is broken off because it is ours no more is the next holder's. */
  async work(key: string, outer: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const share = this.#held.get(this.shareOf(key));
    if (share === undefined || !this.holds(key)) return;
    const done = Promise.withResolvers<undefined>();
    share.inWork.add(done.promise);
    const lost = [share.holding.signal, share.ending.signal];
    try {
      await untilAny([outer, ...lost], work);
    } catch (error) {
      if (outer.aborted || !lost.some(({ aborted }) => aborted)) throw error;
      this.#parts.log.info('a run was left to another replica', { run: key });
    } finally {
      share.inWork.delete(done.promise);
      done.resolve(undefined);
    }
  }

  async #handOn(bucket: number): Promise<void> {
    const share = this.#held.get(bucket);
    this.#held.delete(bucket);
    this.#listener?.onLost(bucket);
    if (share === undefined) return;
    const idle = Promise.all(share.inWork);
    const finished = new AbortController();
    const { clock, finishMs } = this.#parts;
    await Promise.race([idle, clock.sleep(finishMs, finished.signal).catch(() => undefined)]);
    finished.abort();
    share.ending.abort(new DOMException('the share is handed on', 'AbortError'));
    await idle;
  }
}

/** Runs `work` with a signal that aborts when one of `signals` does; nothing is left on them afterwards. */
async function untilAny(
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const forward = (event: Pick<Event, 'target'>): void => {
    controller.abort(event.target instanceof AbortSignal ? event.target.reason : undefined);
  };
  for (const signal of signals) {
    signal.throwIfAborted();
    signal.addEventListener('abort', forward, { once: true });
  }
  try {
    await work(controller.signal);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', forward);
  }
}

function groupOf(watched: readonly string[]): string {
  const group = 'chainwright-controller';
  if (watched.length === 0) return group;
  const digest = hash('sha256', JSON.stringify([...new Set(watched)].toSorted()), 'hex');
  return `${group}-${digest.slice(0, 10)}`;
}
