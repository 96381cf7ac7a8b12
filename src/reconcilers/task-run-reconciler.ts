import { attestBuild } from '../attestation/attest-build.ts';
import type { AttestationOutcome } from '../attestation/attest-build.ts';
import { timed, timedSources } from '../attestation/attestation-parts.ts';
import { planBuild } from '../attestation/plan-build.ts';
import type { BuildPlan } from '../attestation/plan-build.ts';
import { isRunFault } from '../attestation/run-fault.ts';
import { toRunPayload } from '../attestation/run-payload.ts';
import { addRunFinalizer, hasRunFinalizer, removeRunFinalizer } from '../kube/finalizers.ts';
import { findObject } from '../kube/find-object.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import { annotateRun, completeRun } from '../kube/run-annotations.ts';
import type { RunAnnotations } from '../kube/run-annotations.ts';
import { AppError, isAppError } from '../model/errors.ts';
import type { Clock } from '../model/clock.ts';
import type { Log } from '../model/log.ts';
import type { RecordStore, SigningRecord } from '../model/signing-record.ts';
import { runAnnotations } from '../storage/run-annotation-storage.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { noTracing } from '../telemetry/tracing.ts';
import type { TracedRun, Tracing } from '../telemetry/tracing.ts';
import { isComplete, isOurs, parseTaskRun } from '../tekton/task-run.ts';
import type { TaskRun } from '../tekton/task-run.ts';
import { hasPriorEvidence } from './prior-evidence.ts';
import {
  delayedAnnotations,
  failedAnnotations,
  faultText,
  nothingToSignAnnotations,
  settledAnnotations,
  signedAnnotations,
  signedMarkOf,
  skippedAnnotations,
} from './run-marks.ts';
import type { RunNotices } from './run-notices.ts';
import type { RunTerms, SigningSetup, SkipReason, TermsSource } from './run-terms.ts';

/** What reconciling TaskRuns takes; shared by all runs. */
export interface TaskRunReconcilerParts {
  readonly client: Pick<KubeClient, 'get' | 'apply' | 'mergePatch'>;
  /** What settings and policies say of a run; asked once each time that it is looked at. */
  readonly terms: TermsSource;
  readonly records: RecordStore;
  readonly notices: RunNotices;
  readonly metrics: Pick<Metrics, 'runReconciled' | 'runSigned' | 'faultOccurred'>;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
}

/** One run in work. */
interface Work {
  readonly object: KubeObject;
  readonly run: TaskRun;
  readonly terms: RunTerms;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** One run in work that may have to be signed, with what it is signed with. */
interface Signing extends Work {
  readonly setup: SigningSetup;
}

/**
 * Brings one TaskRun to where it should be: held by our finalizer while it runs, signed and marked once it is complete.
 * Level-based: it looks at the run as it is now, so it may be called at any time, any number of times. Throws what
 * is worth another try.
 */
export class TaskRunReconciler {
  readonly #parts: TaskRunReconcilerParts;

  constructor(parts: TaskRunReconcilerParts) {
    this.#parts = parts;
  }

  async reconcile(
    key: string,
    // Failed tries in a row before this one.
    { signal, failures = 0 }: { readonly signal: AbortSignal; readonly failures?: number },
  ): Promise<void> {
    const object = await this.#find(key, signal);
    if (object === undefined) return;
    const { uid = '' } = object.metadata;
    const traceId = this.#tracing.traceIdOf(uid);
    const log = this.#parts.log.child({ run: key, uid, ...(traceId === undefined ? {} : { traceId }) });
    const terms = this.#parts.terms.termsOf(object);
    let run: TaskRun;
    try {
      run = parseTaskRun(object);
    } catch (error) {
      if (!isAppError(error)) throw error;
      const earlier = await this.#parts.records.find(keyOfRecord(object), { signal });
      await this.#giveUp({ object, signal, log }, earlier ?? newRecord(object), error);
      return;
    }
    if (!isOurs(run, terms.managedBy)) return;
    const work = { object, run, terms, signal, log };
    if (terms.skip !== undefined) await this.#skip(work, terms.skip);
    else if (isComplete(run)) await this.#tracing.run(this.#traced(run, failures), () => this.#settle(work));
    else await this.#hold(work);
  }

  get #tracing(): Tracing {
    return this.#parts.tracing ?? noTracing;
  }

  /** The first try counts from the run's completion on, a later one by itself. */
  #traced({ metadata, status: { completionTime = '' } }: TaskRun, failures: number): TracedRun {
    const { namespace, name, uid } = metadata;
    const completedMs = failures === 0 ? Date.parse(completionTime) : NaN;
    const since = Number.isFinite(completedMs) ? new Date(completedMs) : this.#parts.clock.now();
    return { namespace, name, uid, since };
  }

  #find(key: string, signal: AbortSignal): Promise<KubeObject | undefined> {
    const slash = key.indexOf('/');
    const ref = { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
    return findObject(this.#parts.client, resourceTypes.taskRuns, ref, { signal });
  }

  /** A running one is held so that it is not lost when it is deleted right after it ends. */
  async #hold({ object, signal }: Work): Promise<void> {
    const isDeleted = object.metadata.deletionTimestamp !== undefined;
    await (isDeleted
      ? removeRunFinalizer(this.#parts.client, object, { signal })
      : addRunFinalizer(this.#parts.client, object, { signal }));
  }

  /** A run that is left unsigned on purpose is let go; a complete one says why. */
  async #skip({ object, run, signal, log }: Work, reason: SkipReason): Promise<void> {
    if (!isComplete(run)) {
      await removeRunFinalizer(this.#parts.client, object, { signal });
      return;
    }
    const changes = skippedAnnotations(object.metadata.annotations);
    const isNews = Object.keys(changes).length > 0;
    if (isNews || hasRunFinalizer(object)) {
      await completeRun(this.#parts.client, object, changes, { signal });
    }
    if (!isNews) return;
    this.#parts.notices.skipped(object, reason);
    this.#parts.metrics.runReconciled('skipped');
    log.info('left unsigned on purpose', { policy: reason.by, notice: reason.why });
  }

  async #settle(work: Work): Promise<void> {
    const { object, terms, signal } = work;
    try {
      using lease = await terms.open();
      const signing = { ...work, setup: lease.part };
      if (!(await this.#isMarkBelieved(signing))) {
        await this.#sign(signing);
        return;
      }
    } catch (error) {
      if (!isAppError(error) || signal.aborted) throw error;
      await this.#delay(work, error);
      throw notBefore(error, terms.retryBaseMs);
    }
    await completeRun(this.#parts.client, object, settledAnnotations(object.metadata.annotations), {
      signal,
    });
    this.#parts.metrics.runReconciled('skipped');
  }

  /** Design, ruling 8: a mark counts with a finished record, or with evidence that verifies under our identity. */
  async #isMarkBelieved({ object, run, setup, signal, log }: Signing): Promise<boolean> {
    const mark = signedMarkOf(object.metadata.annotations);
    if (mark === undefined) return false;
    const { records } = this.#parts;
    const { signer, evidence } = setup.attestation;
    const { namespace, uid } = run.metadata;
    const record = await records.find({ namespace, uid }, { signal });
    if (record?.phase === (mark === 'true' ? 'Complete' : 'Failed')) return true;
    // With a record of ours that is not complete, the mark cannot be ours, and we know that something is missing.
    if (mark === 'true' && record === undefined) {
      const key = await signer.acquire({ signal });
      const store = setup.storeFor(run);
      const { evidenceRepository } = setup.policy;
      if (await hasPriorEvidence(run, { store, evidenceRepository, evidence, key, signal })) {
        await records.save({ ...newRecord(object), phase: 'Complete' }, { signal });
        log.info('adopted a run that was signed before', {});
        return true;
      }
    }
    this.#parts.notices.markNotBelieved(object, mark);
    return false;
  }

  async #sign(work: Signing): Promise<void> {
    const { object, run, setup, signal } = work;
    const { client } = this.#parts;
    const { attestation, policy, storeFor } = setup;
    const store = storeFor(run);
    const sources = timedSources(attestation, setup.sources);
    const isDeleted = object.metadata.deletionTimestamp !== undefined;
    const [held, plan] = await Promise.all([
      isDeleted ? object : addRunFinalizer(client, object, { signal }),
      timed(attestation, 'subject-check', () => planBuild(run, policy, { store, sources, signal })),
    ]);
    const current = { ...object, metadata: held.metadata };
    if (plan.artifacts.length === 0 && plan.faults.length === 0) {
      await this.#markNothingToSign({ ...work, object: current });
      return;
    }
    const { namespace, name, uid } = run.metadata;
    const job = {
      run: { kind: 'TaskRun' as const, namespace, name, uid },
      artifacts: plan.artifacts,
      store,
      completedAt: new Date(run.status.completionTime ?? object.metadata.creationTimestamp ?? 0),
      faults: plan.faults,
    };
    const outcome = await attestBuild(job, attestation, { signal });
    await this.#conclude({ ...work, object: current }, plan, outcome);
  }

  async #markNothingToSign({ object, signal, log }: Work): Promise<void> {
    const { client, records, notices, metrics } = this.#parts;
    const { fault: _, ...record } =
      (await records.find(keyOfRecord(object), { signal })) ?? newRecord(object);
    await records.save({ ...record, phase: 'Complete' }, { signal });
    await completeRun(client, object, nothingToSignAnnotations(), { signal });
    notices.nothingToSign(object);
    metrics.runReconciled('nothing-to-sign');
    log.info('nothing to sign', {});
  }

  async #conclude(work: Signing, plan: BuildPlan, outcome: AttestationOutcome): Promise<void> {
    const { object, run, signal, log } = work;
    const { client, notices, metrics, clock } = this.#parts;
    const { pending } = work.setup.attestation;
    const faults = [...outcome.faults];
    let onRun: RunAnnotations = {};
    try {
      onRun = this.#payloadsForRun(work, plan, outcome);
    } catch (error) {
      if (!isAppError(error)) throw error;
      faults.push(error);
    }
    const worth = faults.find((fault) => !isRunFault(fault));
    if (worth !== undefined) throw worth;
    const [fault] = faults;
    if (fault !== undefined) {
      await this.#giveUp({ object, signal, log }, outcome.record, fault, onRun);
      pending.forget(run.metadata.uid, plan.artifacts);
      return;
    }
    await timed(work.setup.attestation, 'mark', () =>
      completeRun(client, object, { ...signedAnnotations(outcome.record), ...onRun }, { signal }),
    );
    pending.forget(run.metadata.uid, plan.artifacts);
    notices.signed(object, outcome.record);
    metrics.runReconciled('signed');
    const completedMs = Date.parse(run.status.completionTime ?? '');
    if (Number.isFinite(completedMs)) metrics.runSigned((clock.now().getTime() - completedMs) / 1000);
    log.info('signed', { artifacts: outcome.record.artifacts.length });
  }

  #payloadsForRun({ object, run }: Work, plan: BuildPlan, { signed }: AttestationOutcome): RunAnnotations {
    const provenance = signed.find(({ planned }) => planned === plan.provenance && planned.isKeptOnRun);
    if (provenance === undefined) return {};
    return runAnnotations([toRunPayload(provenance, run.metadata.uid)], object.metadata.annotations);
  }

  /** Marks a run of which something can never be signed; what could be signed is. */
  async #giveUp(
    { object, signal, log }: Pick<Work, 'object' | 'signal' | 'log'>,
    record: SigningRecord,
    fault: AppError,
    onRun: RunAnnotations = {},
  ): Promise<void> {
    const { client, records, notices, metrics } = this.#parts;
    if (record.phase !== 'Failed' || record.version === undefined) {
      await records.save({ ...record, phase: 'Failed', fault: faultText(fault) }, { signal });
    }
    await completeRun(client, object, { ...failedAnnotations(record, fault), ...onRun }, { signal });
    notices.failed(object, fault);
    metrics.runReconciled('failed');
    metrics.faultOccurred(fault.code, fault.kind);
    log.warn('something of this run cannot be signed', { code: fault.code, error: fault.message });
  }

  /** Says on the run why it waits; lets a deleted one go once it was held long enough. */
  async #delay({ object, run, terms, signal, log }: Work, fault: AppError): Promise<void> {
    const { client, notices, metrics, clock } = this.#parts;
    metrics.runReconciled('retried');
    metrics.faultOccurred(fault.code, fault.kind);
    notices.delayed(object, fault);
    const current = await this.#find(`${run.metadata.namespace}/${run.metadata.name}`, signal);
    if (current === undefined || current.metadata.uid !== object.metadata.uid) return;
    const deletedAt = current.metadata.deletionTimestamp;
    const heldMs = deletedAt === undefined ? 0 : clock.now().getTime() - Date.parse(deletedAt);
    if (deletedAt !== undefined && heldMs >= terms.holdDeletionMs) {
      await removeRunFinalizer(client, current, { signal });
      notices.released(object, fault);
      log.error('a deleted run was let go unsigned', { code: fault.code, error: fault.message });
      return;
    }
    await annotateRun(client, current, delayedAnnotations(fault), { signal });
  }
}

/** The same fault, tried again after `baseMs` at the earliest. */
function notBefore(fault: AppError, baseMs = 0): AppError {
  if ((fault.retryAfterMs ?? 0) >= baseMs) return fault;
  const { code, message, kind, object, remedy } = fault;
  return new AppError(code, message, {
    kind,
    ...(object === undefined ? {} : { object }),
    ...(remedy === undefined ? {} : { remedy }),
    retryAfterMs: baseMs,
    cause: fault.cause,
  });
}

function keyOfRecord({ metadata }: KubeObject): { readonly namespace: string; readonly uid: string } {
  return { namespace: metadata.namespace ?? '', uid: metadata.uid ?? '' };
}

function newRecord(object: KubeObject): SigningRecord {
  const run = { kind: 'TaskRun' as const, name: object.metadata.name };
  return { ...keyOfRecord(object), run, phase: 'Failed', artifacts: [] };
}
