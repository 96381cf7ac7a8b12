import type { KubeClient } from '../kube/kube-client.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { WorkResult } from '../kube/work-queue.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { Settings } from '../settings/settings-schema.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { planRetention } from './record-retention-plan.ts';
import type { KeptRecord } from './record-retention-plan.ts';

/** What is known of records and runs; nothing may be said before both are listed in full. */
export interface RecordCatalogue {
  isComplete(): boolean;
  recordsOf(namespace: string): readonly KeptRecord[];
  namespaces(): Iterable<string>;
  /** True if the run that a record is named by still exists, or cannot be known to be gone. */
  isRunPresent(record: KeptRecord): boolean;
}

/** What keeping records bounded takes. */
export interface RecordRetentionParts {
  readonly client: Pick<KubeClient, 'delete'>;
  readonly catalogue: RecordCatalogue;
  readonly rules: () => Settings['records'];
  /** True in the one replica that does it. */
  readonly isOurs: () => boolean;
  readonly metrics: Pick<Metrics, 'recordsPruned'>;
  readonly clock: Clock;
  readonly log: Log;
}

// So many at a time, so that a namespace with a long past does not take the API server's time from signing.
const batch = 100;
const pauseMs = 2000;
const sweepMs = 10 * 60_000;
const settleMs = 5000;

/** Deletes SigningRecords that have had their time, one namespace after another. */
export class RecordRetention {
  readonly #parts: RecordRetentionParts;
  readonly #queue: WorkQueue;

  constructor(parts: RecordRetentionParts) {
    const { clock, log } = parts;
    this.#parts = parts;
    this.#queue = new WorkQueue({
      ...{ clock, concurrency: 1, baseMs: 5000, capMs: sweepMs },
      worker: (namespace, { signal }) => this.#prune(namespace, signal),
      onFault: ({ key, error, retryInMs }) => {
        log.warn('records are pruned later', { namespace: key, error: messageOf(error), retryInMs });
      },
    });
  }

  /** Looks at a namespace soon: a run or a record of it changed. */
  lookAt(namespace: string): void {
    this.#queue.addAfter(namespace, settleMs);
  }

  /** Looks at all namespaces soon: the rules changed. */
  lookAtAll(): void {
    for (const namespace of this.#parts.catalogue.namespaces()) this.lookAt(namespace);
  }

  /** Prunes until `signal` aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { catalogue, clock } = this.#parts;
    while (!signal.aborted) {
      if (catalogue.isComplete())
        for (const namespace of catalogue.namespaces()) this.#queue.addAfter(namespace, 0);
      await clock.sleep(sweepMs * (0.75 + Math.random() / 2), signal).catch(() => undefined);
    }
    await this.#queue.close({ deadlineMs: 0 });
  }

  async #prune(namespace: string, signal: AbortSignal): Promise<WorkResult> {
    const { catalogue, rules, isOurs, clock, metrics, log } = this.#parts;
    // Whoever holds it looks at all namespaces now and then, so that nothing need be handed over.
    if (!isOurs()) return {};
    if (!catalogue.isComplete()) return { requeueAfterMs: settleMs };
    const { expired, expiresInMs } = planRetention(catalogue.recordsOf(namespace), rules(), {
      nowMs: clock.now().getTime(),
      isRunPresent: (record) => catalogue.isRunPresent(record),
    });
    const now = expired.slice(0, batch);
    for (const record of now) await this.#delete(record, signal);
    if (now.length > 0) {
      metrics.recordsPruned(now.length);
      log.info('records were pruned', { namespace, records: now.length, left: expired.length - now.length });
    }
    if (expired.length > now.length) return { requeueAfterMs: pauseMs };
    return expiresInMs === undefined ? {} : { requeueAfterMs: Math.min(expiresInMs, sweepMs) };
  }

  async #delete({ namespace, name, uid }: KeptRecord, signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.client.delete(resourceTypes.signingRecords, { namespace, name }, { uid, signal });
    } catch (error) {
      // Somebody else was faster.
      if (isAppError(error) && (error.code === 'ERR_KUBE_NOT_FOUND' || error.code === 'ERR_KUBE_CONFLICT'))
        return;
      throw error;
    }
  }
}
