import { AppError } from '../model/errors.ts';
import { fieldManagers } from './field-managers.ts';
import type { CallOptions, KubeClient } from './kube-client.ts';
import type { KubeObject } from './kube-object.ts';
import { retryOnConflict } from './run-conflict.ts';
import { formatObjectRef, resourceTypes } from './resource-type.ts';

/** Holds a TaskRun until it is attested; Tekton Chains' name. */
export const taskRunFinalizer = 'chains.tekton.dev/taskrun';

/** True if the finalizer is on the run. */
export function hasRunFinalizer(run: KubeObject): boolean {
  return run.metadata.finalizers?.includes(taskRunFinalizer) ?? false;
}

/**
 * Puts the finalizer on a TaskRun by server-side apply, in one request; none if it is there. Gives the run's metadata
 * as they are then. Throws ERR_KUBE_CONFLICT if the run is gone or was created anew, ERR_KUBE_INVALID if it is being
 * deleted.
 */
export async function addRunFinalizer(
  client: Pick<KubeClient, 'apply' | 'get'>,
  run: KubeObject,
  options: CallOptions,
): Promise<KubeObject> {
  if (hasRunFinalizer(run)) return run;
  const held = await retryOnConflict(client, run, options, (current) =>
    applyFinalizers(client, current, [taskRunFinalizer], options),
  );
  if (held !== undefined) return held;
  const object = formatObjectRef(run.metadata);
  throw new AppError('ERR_KUBE_CONFLICT', `the TaskRun ${object} was deleted meanwhile`, {
    kind: 'passing',
    object,
    remedy: 'Nothing is to be done: there is no run to hold any more.',
  });
}

/**
 * Takes the finalizer off a TaskRun: one request by server-side apply, one more (merge patch with the resource version)
 * if another manager owns it, as a release of Chains left it. Gives the metadata as they are then, or undefined if the
 * run is gone.
 */
export async function removeRunFinalizer(
  client: Pick<KubeClient, 'apply' | 'get' | 'mergePatch'>,
  run: KubeObject,
  options: CallOptions,
): Promise<KubeObject | undefined> {
  if (!hasRunFinalizer(run)) return run;
  return retryOnConflict(client, run, options, async (current) => {
    const applied = await applyFinalizers(client, current, [], options);
    if (!hasRunFinalizer(applied)) return applied;
    const { namespace, name, uid, resourceVersion, finalizers = [] } = applied.metadata;
    return client.mergePatch(
      resourceTypes.taskRuns,
      { namespace, name },
      {
        metadata: {
          uid,
          resourceVersion,
          finalizers: finalizers.filter((finalizer) => finalizer !== taskRunFinalizer),
        },
      },
      { fieldManager: fieldManagers.finalizers, view: 'metadata', signal: options.signal },
    );
  });
}

async function applyFinalizers(
  client: Pick<KubeClient, 'apply'>,
  run: KubeObject,
  finalizers: readonly string[],
  { signal }: CallOptions,
): Promise<KubeObject> {
  const { namespace, name, uid } = run.metadata;
  // the UID keeps the apply from creating a run that was deleted meanwhile
  const metadata = { namespace, name, uid, ...(finalizers.length === 0 ? {} : { finalizers }) };
  return client.apply(
    resourceTypes.taskRuns,
    { apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata },
    { fieldManager: fieldManagers.finalizers, force: false, view: 'metadata', signal },
  );
}
