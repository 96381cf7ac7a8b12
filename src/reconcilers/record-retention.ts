import { fieldManagers } from '../kube/field-managers.ts';
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
import { runGoneAnnotation } from './watched-record.ts';

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
  readonly client: Pick<KubeClient, 'delete' | 'mergePatch'>;
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

/**
 * Notes on SigningRecords since when their run is gone, and deletes those that have had their time, one namespace after
 * another.
 */
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
    const { expired, unmarked, expiresInMs } = planRetention(catalogue.recordsOf(namespace), rules(), {
      nowMs: clock.now().getTime(),
      isRunPresent: (record) => catalogue.isRunPresent(record),
    });
    const now = expired.slice(0, batch);
    for (const record of now) await this.#delete(record, signal);
    if (now.length > 0) {
      metrics.recordsPruned(now.length);
      log.info('records were pruned', { namespace, records: now.length, left: expired.length - now.length });
    }
    const marked = unmarked.slice(0, batch - now.length);
    for (const record of marked) await this.#mark(record, signal);
    if (expired.length + unmarked.length > now.length + marked.length) return { requeueAfterMs: pauseMs };
    return expiresInMs === undefined ? {} : { requeueAfterMs: Math.min(expiresInMs, sweepMs) };
  }

  async #delete({ namespace, name, uid }: KeptRecord, signal: AbortSignal): Promise<void> {
    const { client } = this.#parts;
    await unlessOutrun(client.delete(resourceTypes.signingRecords, { namespace, name }, { uid, signal }));
  }

  /** A version that somebody wrote after ours is not marked: it is looked at again. */
  async #mark({ namespace, name, uid, resourceVersion }: KeptRecord, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#parts;
    const annotations = { [runGoneAnnotation]: clock.now().toISOString() };
    await unlessOutrun(
      client.mergePatch(
        resourceTypes.signingRecords,
        { namespace, name },
        { metadata: { uid, resourceVersion, annotations } },
        { fieldManager: fieldManagers.retention, view: 'metadata', signal },
      ),
    );
  }
}

/** Somebody else may be faster. */
async function unlessOutrun(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    const code = isAppError(error) ? error.code : '';
    if (code !== 'ERR_KUBE_NOT_FOUND' && code !== 'ERR_KUBE_CONFLICT') throw error;
  }
}
