import { isAppError } from '../model/errors.ts';
import { fieldManagers } from './field-managers.ts';
import type { CallOptions, KubeClient } from './kube-client.ts';
import type { KubeObject } from './kube-object.ts';
import type { ResourceType } from './resource-type.ts';

/** What policy-controller puts on its objects, and takes off no more once it is gone. */
const leftBehind: readonly string[] = [
  'clusterimagepolicies.policy.sigstore.dev',
  'trustroots.policy.sigstore.dev',
];

/**
 * Takes policy-controller's finalizers off an object that is being deleted, so that it does not hang for ever; nothing
 * else is touched. Throws ERR_KUBE_CONFLICT if the object changed meanwhile: look again.
 */
export async function dropLeftFinalizers(
  client: Pick<KubeClient, 'mergePatch'>,
  type: ResourceType,
  object: KubeObject,
  { signal }: CallOptions,
): Promise<void> {
  const { name, uid, resourceVersion, finalizers = [], deletionTimestamp } = object.metadata;
  const rest = finalizers.filter((finalizer) => !leftBehind.includes(finalizer));
  if (deletionTimestamp === undefined || rest.length === finalizers.length) return;
  const patch = { metadata: { uid, resourceVersion, finalizers: rest } };
  try {
    await client.mergePatch(type, { name }, patch, {
      fieldManager: fieldManagers.own,
      view: 'metadata',
      signal,
    });
  } catch (error) {
    if (!isAppError(error) || error.code !== 'ERR_KUBE_NOT_FOUND') throw error;
  }
}
