import type { KubeClient } from '../../kube/kube-client.ts';
import { isRecord } from '../../kube/kube-object.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { formatObjectRef, resourceTypes } from '../../kube/resource-type.ts';
import { signedMarkOf } from '../../reconcilers/run-marks.ts';
import { isLeftAlone, needsWork, toWatchedRun } from '../../reconcilers/watched-run.ts';

/** Which runs are meant. */
export interface RunSelection {
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly labelSelector: string | undefined;
  /** Completed at or after, and before. */
  readonly since: Date | undefined;
  readonly until: Date | undefined;
  /** Whose runs are signed besides Tekton's own. */
  readonly managedBy: readonly string[];
  /** Whether runs count that say they were left unsigned on purpose: what left them so may have gone since. */
  readonly withSkipped: boolean;
}

/** A run that is complete and not settled. */
export interface UnsignedRun {
  /** `NAMESPACE/NAME` */
  readonly key: string;
  /** RFC 3339, or empty where the run does not tell. */
  readonly completedAt: string;
}

interface Reader {
  readonly client: Pick<KubeClient, 'listPages'>;
  readonly signal: AbortSignal;
}

/**
 * The complete runs of a selection that no finished SigningRecord settles, oldest first, without those of other managers.
 * Their marks alone are not believed: what a mark without a record is worth is judged when the run is worked on. Throws
 * ERR_KUBE_*.
 */
export async function selectRuns(selection: RunSelection, reader: Reader): Promise<readonly UnsignedRun[]> {
  const phases = await readPhases(selection, reader);
  const { labelSelector, since, until, managedBy, withSkipped } = selection;
  const found: UnsignedRun[] = [];
  for await (const object of objectsOf(resourceTypes.taskRuns, { ...selection, labelSelector }, reader)) {
    const run = toWatchedRun(object);
    const completedAt = run.completionTime ?? '';
    const time = Date.parse(completedAt);
    const isMeant =
      (since === undefined || time >= since.getTime()) && (until === undefined || time < until.getTime());
    const isSettled = (): boolean => {
      const mark = signedMarkOf(run.metadata.annotations);
      const phase = phases.get(`${run.metadata.namespace ?? ''}/${run.metadata.uid ?? ''}`);
      return (mark === 'true' && phase === 'Complete') || (mark === 'failed' && phase === 'Failed');
    };
    if (isLeftAlone(withSkipped ? { ...run, isSkipped: false } : run, managedBy)) continue;
    if (isMeant && run.isComplete && needsWork(run, isSettled)) {
      found.push({ key: formatObjectRef(run.metadata), completedAt });
    }
  }
  return found.toSorted((a, b) => (a.completedAt < b.completedAt ? -1 : 1));
}

async function readPhases(selection: RunSelection, reader: Reader): Promise<ReadonlyMap<string, unknown>> {
  const phases = new Map<string, unknown>();
  const all = { ...selection, labelSelector: undefined };
  for await (const { metadata, spec } of objectsOf(resourceTypes.signingRecords, all, reader)) {
    phases.set(formatObjectRef(metadata), isRecord(spec) ? spec['phase'] : undefined);
  }
  return phases;
}

async function* objectsOf(
  type: (typeof resourceTypes)['taskRuns' | 'signingRecords'],
  { namespaces, labelSelector }: Pick<RunSelection, 'namespaces' | 'labelSelector'>,
  { client, signal }: Reader,
): AsyncGenerator<KubeObject> {
  for (const namespace of namespaces.length === 0 ? [undefined] : namespaces) {
    for await (const { items } of client.listPages(type, { namespace, labelSelector, signal })) yield* items;
  }
}
