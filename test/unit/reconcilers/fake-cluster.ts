import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import type { TaskRunReconcilerParts } from '../../../src/reconcilers/task-run-reconciler.ts';
import type { FakeObjects } from '../kube/fake-objects.ts';

const { taskRuns } = resourceTypes;

/** The API server as the reconciler sees it: a deleted run goes once no finalizer holds it. */
export function clientOf(objects: FakeObjects): TaskRunReconcilerParts['client'] {
  const reaping = (object: KubeObject): KubeObject => {
    const { deletionTimestamp, finalizers = [], name } = object.metadata;
    if (deletionTimestamp !== undefined && finalizers.length === 0) {
      objects.objects.delete(`taskruns ${object.metadata.namespace ?? ''}/${name}`);
    }
    return object;
  };
  return {
    get: async (type, ref) => objects.get(type, ref),
    apply: async (...given) => reaping(await objects.apply(...given)),
    mergePatch: async (...given) => reaping(await objects.mergePatch(...given)),
  };
}

/** A run of the fake cluster, if it is there. */
export function findRun(objects: FakeObjects, name = 'build'): KubeObject | undefined {
  return objects.find(taskRuns, { namespace: 'team', name });
}

/** A run that must be there. */
export function getRun(objects: FakeObjects, name = 'build'): KubeObject {
  const run = findRun(objects, name);
  if (run === undefined) throw new Error(`${name} is not there`);
  return run;
}

/** Puts a run there, or another version of it. */
export function putRun(objects: FakeObjects, object: KubeObject): KubeObject {
  return objects.add(taskRuns, object);
}

/** Asks for the deletion of a run at that time. */
export function deleteRun(objects: FakeObjects, at: Date, name = 'build'): void {
  const run = getRun(objects, name);
  if ((run.metadata.finalizers ?? []).length === 0) objects.objects.delete(`taskruns team/${name}`);
  else putRun(objects, { ...run, metadata: { ...run.metadata, deletionTimestamp: at.toISOString() } });
}
