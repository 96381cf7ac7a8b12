import { isAppError } from '../model/errors.ts';
import type { CallOptions, KubeClient } from './kube-client.ts';
import type { KubeObject } from './kube-object.ts';
import { resourceTypes } from './resource-type.ts';

const maxTries = 4;

/**
 * Runs `write` with a TaskRun's metadata, reading them anew after each ERR_KUBE_CONFLICT, up to four times. Gives
 * undefined if the run is gone: deleted, or created anew with another UID.
 */
export async function retryOnConflict(
  client: Pick<KubeClient, 'get'>,
  run: KubeObject,
  { signal }: CallOptions,
  write: (current: KubeObject) => Promise<KubeObject>,
): Promise<KubeObject | undefined> {
  let current: KubeObject | undefined = run;
  for (let tries = 1; current !== undefined; tries += 1) {
    try {
      return await write(current);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ERR_KUBE_NOT_FOUND') return undefined;
      if (code !== 'ERR_KUBE_CONFLICT' && code !== 'ERR_KUBE_INVALID') throw error;
      current = await findSameRun(client, run, signal);
      // another UID is refused as a change of an immutable field: invalid only if the run is the same
      const isFinal = code === 'ERR_KUBE_INVALID' || tries === maxTries;
      if (isFinal && current !== undefined) throw error;
    }
  }
  return undefined;
}

async function findSameRun(
  client: Pick<KubeClient, 'get'>,
  run: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const { namespace, name, uid } = run.metadata;
  try {
    const found = await client.get(resourceTypes.taskRuns, { namespace, name }, { view: 'metadata', signal });
    return found.metadata.uid === uid ? found : undefined;
  } catch (error) {
    if (codeOf(error) === 'ERR_KUBE_NOT_FOUND') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return isAppError(error) ? error.code : undefined;
}
