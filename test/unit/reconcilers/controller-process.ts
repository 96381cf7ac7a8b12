import type { BuildPolicy } from '../../../src/attestation/plan-build.ts';
import type { EventNotice } from '../../../src/kube/events.ts';
import { silentLog } from '../../../src/model/log.ts';
import { RunNotices } from '../../../src/reconcilers/run-notices.ts';
import { fixedTerms } from '../../../src/reconcilers/run-terms.ts';
import type { SkipReason } from '../../../src/reconcilers/run-terms.ts';
import { TaskRunReconciler } from '../../../src/reconcilers/task-run-reconciler.ts';
import { bothLayouts } from '../attestation/builds.ts';
import type { Mishaps } from '../attestation/mishaps.ts';
import type { World } from '../attestation/world.ts';
import { clientOf } from './fake-cluster.ts';

/** Settings that a test may vary. */
export interface ControllerSettings {
  readonly policy?: BuildPolicy;
  readonly managedBy?: readonly string[];
  readonly holdDeletionMs?: number;
  readonly skip?: SkipReason;
}

/** A controller without its watch: the reconciler, and what it told. */
export interface ControllerProcess {
  readonly reconciler: TaskRunReconciler;
  readonly mishaps: Mishaps;
  readonly notices: EventNotice[];
  /** Outcomes of passes, and codes of faults. */
  readonly outcomes: string[];
}

/** Starts a controller in that world; what an earlier one had in memory is lost. */
export function startController(world: World, settings: ControllerSettings = {}): ControllerProcess {
  const { policy = bothLayouts, managedBy = [], holdDeletionMs = 3_600_000, skip } = settings;
  const { parts, store, mishaps } = world.startProcess();
  const notices: EventNotice[] = [];
  const outcomes: string[] = [];
  const reconciler = new TaskRunReconciler({
    client: mishaps.wrap('client', clientOf(world.objects)),
    terms: fixedTerms(
      { attestation: parts, policy, sources: [], storeFor: () => store },
      { managedBy, holdDeletionMs, ...(skip === undefined ? {} : { skip }) },
    ),
    records: parts.records,
    clock: parts.clock,
    notices: new RunNotices({
      record: (notice) => {
        notices.push(notice);
      },
    }),
    metrics: {
      runReconciled: (outcome) => outcomes.push(outcome),
      runSigned: () => undefined,
      faultOccurred: (code) => outcomes.push(code),
    },
    log: silentLog,
  });
  return { reconciler, mishaps, notices, outcomes };
}
