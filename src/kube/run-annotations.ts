import { AppError } from '../model/errors.ts';
import { fieldManagers } from './field-managers.ts';
import { taskRunFinalizer } from './finalizers.ts';
import type { CallOptions, KubeClient } from './kube-client.ts';
import type { KubeObject } from './kube-object.ts';
import { retryOnConflict } from './run-conflict.ts';
import { resourceTypes } from './resource-type.ts';

/** Annotations to set; null takes one away. Keys begin with `chains.tekton.dev/` or `chainwright.dev/`. */
export type RunAnnotations = Readonly<Record<string, string | null>>;

const prefixes = ['chains.tekton.dev/', 'chainwright.dev/'];

type RunWriter = Pick<KubeClient, 'apply' | 'get' | 'mergePatch'>;

/**
 * Sets annotations of a TaskRun by server-side apply as Tekton Chains does: under its field manager, taking over from
 * others, with all keys of our prefixes that the run has, since leaving one out would drop it. One request when `run`
 * is up to date (its resource version is part of it), two more for each time it is not; none if nothing changes. Gives
 * the new metadata, or undefined if the run is gone. Throws ERR_KUBE_ANNOTATION for a key without our prefixes.
 */
export async function annotateRun(
  client: RunWriter,
  run: KubeObject,
  changes: RunAnnotations,
  options: CallOptions,
): Promise<KubeObject | undefined> {
  checkKeys(changes);
  return retryOnConflict(client, run, options, (current) => {
    if (!isChange(current, changes)) return Promise.resolve(current);
    const { namespace, name, uid, resourceVersion } = current.metadata;
    const annotations = mergedAnnotations(current, changes);
    return client.apply(
      resourceTypes.taskRuns,
      {
        apiVersion: 'tekton.dev/v1',
        kind: 'TaskRun',
        metadata: { namespace, name, uid, resourceVersion, annotations },
      },
      { fieldManager: fieldManagers.runs, force: true, view: 'metadata', signal: options.signal },
    );
  });
}

/**
 * Sets annotations of a TaskRun and takes our finalizer off in one step, whoever owns it: one merge patch, since two
 * field managers cannot apply in one request. One request when `run` is up to date, two more for each time it is not.
 * Gives the new metadata, or undefined if the run is gone. Throws ERR_KUBE_ANNOTATION.
 */
export async function completeRun(
  client: RunWriter,
  run: KubeObject,
  changes: RunAnnotations,
  options: CallOptions,
): Promise<KubeObject | undefined> {
  checkKeys(changes);
  return retryOnConflict(client, run, options, (current) => {
    const { namespace, name, uid, resourceVersion, finalizers = [] } = current.metadata;
    const rest = finalizers.filter((finalizer) => finalizer !== taskRunFinalizer);
    if (rest.length === finalizers.length && !isChange(current, changes)) return Promise.resolve(current);
    return client.mergePatch(
      resourceTypes.taskRuns,
      { namespace, name },
      { metadata: { uid, resourceVersion, annotations: changes, finalizers: rest } },
      { fieldManager: fieldManagers.runs, view: 'metadata', signal: options.signal },
    );
  });
}

function checkKeys(changes: RunAnnotations): void {
  const foreign = Object.keys(changes).find((key) => !isOurs(key));
  if (foreign === undefined) return;
  throw new AppError('ERR_KUBE_ANNOTATION', `"${foreign}" is no annotation of ours`, { kind: 'bug' });
}

function isOurs(key: string): boolean {
  return prefixes.some((prefix) => key.startsWith(prefix));
}

function isChange(run: KubeObject, changes: RunAnnotations): boolean {
  const present = run.metadata.annotations ?? {};
  return Object.entries(changes).some(([key, value]) => (present[key] ?? null) !== value);
}

function mergedAnnotations(run: KubeObject, changes: RunAnnotations): Record<string, string> {
  const merged = { ...run.metadata.annotations, ...changes };
  const kept = Object.entries(merged).filter(([key, value]) => isOurs(key) && value !== null);
  return Object.fromEntries(kept) as Record<string, string>;
}
