import { Informer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { identityOf } from '../kube/object-trim.ts';
import { isRecord } from '../kube/kube-object.ts';
import { keyOf } from '../kube/object-store.ts';
import type { StoreChange } from '../kube/object-store.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { WorkFault, WorkPriority } from '../kube/work-queue.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { Settings } from '../settings/settings-schema.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { signedMarkOf } from './run-marks.ts';
import type { TaskRunReconciler } from './task-run-reconciler.ts';
import { needsWork, toWatchedRun } from './watched-run.ts';
import type { WatchedRun } from './watched-run.ts';

/** What the controller is made of. */
export interface TaskRunControllerParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch'>;
  readonly reconciler: Pick<TaskRunReconciler, 'reconcile'>;
  readonly settings: Settings['controller'];
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is kept in memory of a SigningRecord: whether its run is settled. */
interface WatchedRecord extends KubeObject {
  readonly phase: string;
}

// A watch is heard of at least once in its idle time; three times that long means that the process is stuck.
const stallMs = 600_000;
// A run that ended longer ago than this when it is first seen has been waiting for us; new ones go first.
const backlogMs = 5 * 60_000;

/**
 * Watches TaskRuns and SigningRecords, and has each run reconciled that may need it. Runs that a finished record settles
 * are told from memory, so that a start on a cluster with thousands of them costs two lists.
 */
export class TaskRunController {
  readonly #parts: TaskRunControllerParts;
  readonly #runs: Informer<WatchedRun>;
  readonly #records: Informer<WatchedRecord>;
  readonly #queue: WorkQueue;

  constructor(parts: TaskRunControllerParts) {
    const { client, settings, clock, log, metrics, reconciler } = parts;
    const { namespaces, concurrency, retry } = settings;
    this.#parts = parts;
    this.#queue = new WorkQueue({
      clock,
      concurrency,
      baseMs: retry.baseMs,
      capMs: retry.maxMs,
      worker: async (key, { signal }) => {
        await reconciler.reconcile(key, { signal });
        return {};
      },
      onFault: (fault) => {
        this.#report(fault);
      },
      onRoom: () => {
        for (const run of this.#runs.values()) this.#offer(run);
      },
    });
    const common = { client, namespaces, clock, log };
    this.#records = new Informer({
      ...common,
      type: resourceTypes.signingRecords,
      transform: toWatchedRecord,
      onChange: () => undefined,
    });
    this.#runs = new Informer({
      ...common,
      type: resourceTypes.taskRuns,
      transform: toWatchedRun,
      onChange: (change) => {
        this.#noticeRun(change);
      },
    });
    metrics.watchQueue(() => {
      const { fresh, backlog, delayed, working, oldestAgeMs } = this.#queue.depth();
      return { waiting: fresh + backlog + delayed, inWork: working, oldestAgeSeconds: oldestAgeMs / 1000 };
    });
  }

  /** Works until `signal` aborts; then finishes what is in work, for at most `drainMs`. */
  async run({ signal, drainMs }: { readonly signal: AbortSignal; readonly drainMs: number }): Promise<void> {
    const records = this.#records.run({ signal });
    // The records come first, so that the first list of runs can be told from settled ones.
    await Promise.race([this.#records.synced, records]);
    await Promise.all([records, this.#runs.run({ signal })]);
    const left = await this.#queue.close({ deadlineMs: drainMs });
    if (left > 0) this.#parts.log.warn('stopped with runs in work; they are taken up again', { runs: left });
  }

  /** Why no work can be expected yet: the informers have not listed everything. */
  findUnready(): string | undefined {
    const missing = [this.#records, this.#runs].find((informer) => !informer.health().isSynced);
    if (missing === undefined) return undefined;
    return `not everything is listed yet${describeFault(missing.health().fault)}`;
  }

  /** Why a restart may help: nothing was heard of the API server for minutes though it is reachable. */
  findStall(): string | undefined {
    const { stalenessMs, fault } = this.#runs.health();
    if (stalenessMs === undefined || stalenessMs < stallMs || fault !== undefined) return undefined;
    return `no word from the API server for ${Math.round(stalenessMs / 1000)} s`;
  }

  #noticeRun(change: StoreChange<WatchedRun>): void {
    this.#parts.metrics.informerSynced('taskruns', this.#parts.clock.now());
    if (change.kind === 'deleted') this.#queue.forget(keyOf(change.object));
    else this.#offer(change.object);
  }

  #offer(run: WatchedRun): void {
    if (needsWork(run, (settled) => this.#isSettled(settled)))
      this.#queue.add(keyOf(run), this.#priorityOf(run));
  }

  #isSettled({ metadata }: WatchedRun): boolean {
    const phase = this.#records.find(`${metadata.namespace ?? ''}/${metadata.uid ?? ''}`)?.phase;
    const mark = signedMarkOf(metadata.annotations);
    return (mark === 'true' && phase === 'Complete') || (mark === 'failed' && phase === 'Failed');
  }

  #priorityOf({ completionTime }: WatchedRun): WorkPriority {
    if (completionTime === undefined) return 'new';
    return this.#parts.clock.now().getTime() - Date.parse(completionTime) > backlogMs ? 'backlog' : 'new';
  }

  #report({ key, error, failures, retryInMs }: WorkFault): void {
    this.#parts.metrics.keyRetried();
    const code = isAppError(error) ? error.code : 'ERR_UNEXPECTED';
    const fields = { run: key, code, error: messageOf(error), failures, retryInMs: Math.round(retryInMs) };
    if (isAppError(error)) this.#parts.log.warn('a run is tried again later', fields);
    else
      this.#parts.log.error('a run met a bug; it is tried again later', { ...fields, stack: stackOf(error) });
  }
}

function toWatchedRecord({ apiVersion, kind, metadata, spec }: KubeObject): WatchedRecord {
  return {
    apiVersion,
    kind,
    metadata: identityOf(metadata),
    phase: isRecord(spec) && typeof spec['phase'] === 'string' ? spec['phase'] : '',
  };
}

function describeFault(fault: string | undefined): string {
  return fault === undefined ? '' : `: ${fault}`;
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
