import type { KubeObject } from '../../../kube/kube-object.ts';
import { hasRunFinalizer } from '../../../kube/finalizers.ts';
import { formatObjectRef, resourceTypes } from '../../../kube/resource-type.ts';
import { isAppError } from '../../../model/errors.ts';
import { signedMarkOf } from '../../../reconcilers/run-marks.ts';
import { isLeftAlone, toWatchedRun } from '../../../reconcilers/watched-run.ts';
import type { Check, SigningParts } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';

const unsignedMs = 15 * 60_000;
const heldMs = 10 * 60_000;
const maxNamed = 5;

/** Runs: none that waits for its signature for long, none that our finalizer holds for longer than it may. */
export const runsCheck: Check = {
  name: 'runs',
  needs: 'settings',
  look: async (parts) => {
    const { settings, clock } = parts;
    const nowMs = clock.now().getTime();
    const waiting: string[] = [];
    const held: string[] = [];
    for await (const run of runsOf(parts)) {
      const watched = toWatchedRun(run);
      const { completionTime, isComplete, metadata } = watched;
      const since = (time: string | undefined): number => nowMs - Date.parse(time ?? '');
      const isWaitedFor =
        !isLeftAlone(watched, settings.controller.managedBy) &&
        signedMarkOf(metadata.annotations) === undefined;
      const name = formatObjectRef(metadata);
      if (isWaitedFor && isComplete && since(completionTime) > unsignedMs) waiting.push(name);
      const isDue = since(metadata.deletionTimestamp) > settings.controller.holdDeletionMs + heldMs;
      if (hasRunFinalizer(run) && isDue) held.push(name);
    }
    return [...discoveryOf('run-unsigned', waiting), ...discoveryOf('run-held', held)];
  },
};

async function* runsOf({ client, settings, signal }: SigningParts): AsyncGenerator<KubeObject> {
  const { namespaces } = settings.controller;
  const scopes = namespaces.length === 0 ? [undefined] : namespaces;
  try {
    for (const namespace of scopes) {
      for await (const page of client.listPages(resourceTypes.taskRuns, { namespace, signal })) {
        yield* page.items;
      }
    }
  } catch (error) {
    // A cluster without Tekton has no runs.
    if (!isAppError(error) || error.code !== 'ERR_KUBE_NOT_FOUND') throw error;
  }
}

function discoveryOf(id: 'run-unsigned' | 'run-held', names: readonly string[]): readonly Discovery[] {
  if (names.length === 0) return [];
  const more = names.length > maxNamed ? ` and ${names.length - maxNamed} more` : '';
  const message = `${names.slice(0, maxNamed).join(', ')}${more}`;
  return [{ id, object: `${names.length} TaskRuns`, message }];
}
