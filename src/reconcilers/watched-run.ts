import { hasRunFinalizer } from '../kube/finalizers.ts';
import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { identityOf, trimMetadata } from '../kube/object-trim.ts';
import { isOurs } from '../tekton/task-run.ts';
import { runAnnotationKeys, signedMarkOf } from './run-marks.ts';

/** What is kept in memory of a TaskRun: enough to tell whether there is anything to do. */
export interface WatchedRun extends KubeObject {
  readonly managedBy: string;
  /** It says that it was left unsigned on purpose, and nothing was tried since. */
  readonly isSkipped: boolean;
  readonly isComplete: boolean;
  /** RFC 3339; absent while it runs. */
  readonly completionTime?: string;
}

/** Reduces a TaskRun to a {@link WatchedRun}: a thousandth of the object where results are large. */
export function toWatchedRun(object: KubeObject): WatchedRun {
  const { apiVersion, kind, metadata } = trimMetadata(object);
  const { finalizers, deletionTimestamp, annotations } = metadata;
  const spec = isRecord(object['spec']) ? object['spec'] : {};
  const status = isRecord(object['status']) ? object['status'] : {};
  const completionTime = status['completionTime'];
  const mark = signedMarkOf(annotations);
  return {
    apiVersion,
    kind,
    metadata: {
      ...identityOf(metadata),
      ...(finalizers === undefined ? {} : { finalizers }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(mark === undefined ? {} : { annotations: { 'chains.tekton.dev/signed': mark } }),
    },
    managedBy: typeof spec['managedBy'] === 'string' ? spec['managedBy'] : '',
    isSkipped:
      annotations?.[runAnnotationKeys.result] === 'skipped' &&
      annotations[runAnnotationKeys.error] === undefined &&
      !hasRunFinalizer(object),
    isComplete: hasVerdict(status['conditions']),
    ...(typeof completionTime === 'string' ? { completionTime } : {}),
  };
}

function hasVerdict(conditions: unknown): boolean {
  return (
    Array.isArray(conditions) &&
    conditions.some(
      (condition: unknown) =>
        isRecord(condition) &&
        condition['type'] === 'Succeeded' &&
        (condition['status'] === 'True' || condition['status'] === 'False'),
    )
  );
}

/**
 * True if the run may need work: a running one that has no finalizer yet, a complete one that is not settled, a deleted
 * one that our finalizer holds. `isSettled` tells of a complete run whether a finished SigningRecord backs its mark.
 */
export function needsWork(run: WatchedRun, isSettled: (run: WatchedRun) => boolean): boolean {
  const isHeld = hasRunFinalizer(run);
  if (run.metadata.deletionTimestamp !== undefined) return isHeld;
  if (!run.isComplete) return !isHeld;
  return isHeld || signedMarkOf(run.metadata.annotations) === undefined || !isSettled(run);
}

/**
 * True if the run is unsigned on purpose: it says so, or its manager is neither Tekton nor one of `furtherManagers`. Nobody
 * waits for it then, but it is looked at again when settings or policies change.
 */
export function isLeftAlone(
  { isSkipped, managedBy }: WatchedRun,
  furtherManagers: readonly string[],
): boolean {
  return isSkipped || !isOurs({ spec: { managedBy } }, furtherManagers);
}
