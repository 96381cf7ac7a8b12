import { Informer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { keyOf } from '../kube/object-store.ts';
import type { StoreChange } from '../kube/object-store.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { WorkFault, WorkPriority } from '../kube/work-queue.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { Settings } from '../settings/settings-schema.ts';
import type { Backlog, Metrics } from '../telemetry/metrics.ts';
import { longestPauseMs } from './deletion-hold.ts';
import type { RecordCatalogue } from './record-retention.ts';
import type { KeptRecord } from './record-retention-plan.ts';
import { signedMarkOf } from './run-marks.ts';
import type { RunShares } from './run-shares.ts';
import type { TaskRunReconciler } from './task-run-reconciler.ts';
import { toKeptRecord, toWatchedRecord } from './watched-record.ts';
import type { WatchedRecord } from './watched-record.ts';
import { isLeftAlone, needsWork, toWatchedRun } from './watched-run.ts';
import type { WatchedRun } from './watched-run.ts';

/** What the controller is made of. */
export interface TaskRunControllerParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch'>;
  readonly reconciler: Pick<TaskRunReconciler, 'reconcile'>;
  readonly shares: Pick<RunShares, 'run' | 'shareOf' | 'holds' | 'work' | 'health'>;
  readonly settings: Settings['controller'];
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of a namespace in which a run was deleted, or a record written for the first time. */
  readonly onPassing?: (namespace: string) => void;
}

// A watch is heard of at least once in its idle time; three times that long means that the process is stuck.
const stallMs = 600_000;
// A run that ended longer ago than this when it is first seen has been waiting for us; new ones go first.
const backlogMs = 5 * 60_000;

/**
 * Watches TaskRuns and SigningRecords, and has each run reconciled that may need it and is this replica's. Runs that a
 * finished record settles are told from memory, so that a start on a cluster with thousands of them costs two lists.
 */
export class TaskRunController implements RecordCatalogue {
  readonly #parts: TaskRunControllerParts;
  readonly #runs: Informer<WatchedRun>;
  readonly #records: Informer<WatchedRecord>;
  readonly #queue: WorkQueue;
  readonly #runUids = new Set<string>();
  #holdDeletionMs: number;
  #managedBy: readonly string[];

  constructor(parts: TaskRunControllerParts) {
    const { client, settings, clock, log, metrics, reconciler, shares } = parts;
    const { namespaces, concurrency, retry, holdDeletionMs, managedBy } = settings;
    this.#parts = parts;
    this.#holdDeletionMs = holdDeletionMs;
    this.#managedBy = managedBy;
    this.#queue = new WorkQueue({
      clock,
      concurrency,
      baseMs: retry.baseMs,
      capMs: retry.maxMs,
      longestPauseMs: (key) => this.#longestPauseMs(key),
      worker: async (key, { signal, failures, waitedMs }) => {
        metrics.stageTook('queue-wait', waitedMs / 1000);
        const startedMs = clock.now().getTime();
        try {
          await shares.work(key, signal, (ours) => reconciler.reconcile(key, { signal: ours, failures }));
        } finally {
          metrics.stageTook('run', (clock.now().getTime() - startedMs) / 1000);
        }
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
      onChange: ({ kind, object }) => {
        if (kind === 'added') this.#parts.onPassing?.(object.metadata.namespace ?? '');
      },
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
    metrics.watchBacklog(() => this.#backlog());
    metrics.watchShares(() => {
      const { held, members } = shares.health();
      return { held: held.length, replicas: members };
    });
  }

  /** Works until `signal` aborts; then finishes what is in work, for at most `drainMs`. */
  async run({ signal, drainMs }: { readonly signal: AbortSignal; readonly drainMs: number }): Promise<void> {
    const records = this.#records.run({ signal });
    // The records come first, so that the first list of runs can be told from settled ones.
    await Promise.race([this.#records.synced, records]);
    const runs = this.#runs.run({ signal });
    const sharing = this.#share(runs, signal);
    await Promise.all([records, runs]);
    const [left] = await Promise.all([this.#queue.close({ deadlineMs: drainMs }), sharing]);
    if (left > 0) this.#parts.log.warn('stopped with runs in work; they are taken up again', { runs: left });
  }

  /** Takes a share of the runs once all are listed: before that nothing could be done for them. */
  async #share(runs: Promise<void>, signal: AbortSignal): Promise<void> {
    const { shares } = this.#parts;
    await Promise.race([this.#runs.synced, runs]);
    const ofShare = (share: number): readonly WatchedRun[] =>
      [...this.#runs.values()].filter((run) => shares.shareOf(keyOf(run)) === share);
    await shares.run({
      signal,
      onGained: (share) => {
        for (const run of ofShare(share)) this.#offer(run);
      },
      onLost: (share) => {
        for (const run of ofShare(share)) this.#queue.forget(keyOf(run));
      },
    });
  }

  /**
   * Takes over what can be changed while it runs: how many runs are in work, the pauses between tries, how long a deleted run
   * is held, and whose runs are waited for. Runs that wait are looked at again at once, since what made them wait may be mended.
   */
  adjust({
    concurrency,
    retry,
    holdDeletionMs,
    managedBy,
  }: Pick<Settings['controller'], 'concurrency' | 'retry' | 'holdDeletionMs' | 'managedBy'>): void {
    this.#holdDeletionMs = holdDeletionMs;
    this.#managedBy = managedBy;
    this.#queue.adjust({ concurrency, baseMs: retry.baseMs, capMs: retry.maxMs });
    this.lookAgain();
  }

  /** Looks at all runs again that may need it, or at those of one namespace. */
  lookAgain(namespace?: string): void {
    for (const run of this.#runs.values()) {
      if (namespace !== undefined && run.metadata.namespace !== namespace) continue;
      this.#retryNow(run);
    }
  }

  /** Why no work can be expected yet: the informers have not listed everything. */
  findUnready(): string | undefined {
    const missing = [this.#records, this.#runs].find((informer) => !informer.health().isSynced);
    if (missing === undefined) return this.#findShareless();
    return `not everything is listed yet${describeFault(missing.health().fault)}`;
  }

  #findShareless(): string | undefined {
    const { held, members, fault } = this.#parts.shares.health();
    if (fault === undefined || held.length + members > 0) return undefined;
    return `the Leases that share runs among replicas cannot be used: ${fault}`;
  }

  /** Why a restart may help: nothing was heard of the API server for minutes though it is reachable. */
  findStall(): string | undefined {
    const { stalenessMs, fault } = this.#runs.health();
    if (stalenessMs === undefined || stalenessMs < stallMs || fault !== undefined) return undefined;
    return `no word from the API server for ${Math.round(stalenessMs / 1000)} s`;
  }

  /** True once all runs and records are listed: what is missing then is gone. */
  isComplete(): boolean {
    return [this.#records, this.#runs].every((informer) => informer.health().isSynced);
  }

  namespaces(): ReadonlySet<string> {
    return new Set(this.#records.values().map(({ metadata }) => metadata.namespace ?? ''));
  }

  recordsOf(namespace: string): readonly KeptRecord[] {
    return [...this.#records.values()]
      .filter(({ metadata }) => metadata.namespace === namespace)
      .map(toKeptRecord);
  }

  isRunPresent({ namespace, name }: KeptRecord): boolean {
    // Of runs of a kind that is not watched here it cannot be told.
    const runKind = this.#records.find(`${namespace}/${name}`)?.runKind;
    return runKind !== 'TaskRun' || this.#runUids.has(name);
  }

  #noticeRun(change: StoreChange<WatchedRun>): void {
    const { namespace = '', uid = '' } = change.object.metadata;
    if (change.kind !== 'deleted') {
      this.#runUids.add(uid);
      if (isDeletion(change)) this.#retryNow(change.object);
      else this.#offer(change.object);
      return;
    }
    this.#runUids.delete(uid);
    this.#queue.forget(keyOf(change.object));
    this.#parts.onPassing?.(namespace);
  }

  #offer(run: WatchedRun): void {
    if (this.#needsWork(run)) this.#queue.add(keyOf(run), this.#priorityOf(run));
  }

  #retryNow(run: WatchedRun): void {
    if (this.#needsWork(run)) this.#queue.retryNow(keyOf(run), this.#priorityOf(run));
  }

  #longestPauseMs(key: string): number | undefined {
    const run = this.#runs.find(key);
    if (run === undefined) return undefined;
    return longestPauseMs(run, {
      holdDeletionMs: this.#holdDeletionMs,
      nowMs: this.#parts.clock.now().getTime(),
    });
  }

  #needsWork(run: WatchedRun): boolean {
    return needsWork(run, (settled) => this.#isSettled(settled)) && this.#parts.shares.holds(keyOf(run));
  }

  #isSettled({ metadata }: WatchedRun): boolean {
    const phase = this.#records.find(`${metadata.namespace ?? ''}/${metadata.uid ?? ''}`)?.phase;
    const mark = signedMarkOf(metadata.annotations);
    return (mark === 'true' && phase === 'Complete') || (mark === 'failed' && phase === 'Failed');
  }

  #backlog(): Backlog {
    const open = [...this.#runs.values()].filter(
      (run) => run.isComplete && !isLeftAlone(run, this.#managedBy) && this.#needsWork(run),
    );
    const completed = open
      .map(({ completionTime = '' }) => Date.parse(completionTime))
      .filter(Number.isFinite);
    const nowMs = this.#parts.clock.now().getTime();
    const oldestMs = completed.reduce((oldest, one) => Math.min(oldest, one), nowMs);
    return { runs: open.length, oldestAgeSeconds: (nowMs - oldestMs) / 1000 };
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

/** True as soon as a run is deleted, and not for what else changes of it later, as by our own patches. */
function isDeletion(change: StoreChange<WatchedRun>): boolean {
  return (
    change.kind === 'updated' &&
    change.previous.metadata.deletionTimestamp === undefined &&
    change.object.metadata.deletionTimestamp !== undefined
  );
}

function describeFault(fault: string | undefined): string {
  return fault === undefined ? '' : `: ${fault}`;
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
