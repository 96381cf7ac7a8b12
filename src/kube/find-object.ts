import { isAppError } from '../model/errors.ts';
import type { KubeClient } from './kube-client.ts';
import type { KubeObject } from './kube-object.ts';
import type { ObjectRef, ResourceType } from './resource-type.ts';

/** One object, or undefined if there is none. Throws ERR_KUBE_*. */
export async function findObject(
  client: Pick<KubeClient, 'get'>,
  type: ResourceType,
  ref: ObjectRef,
  options: { readonly signal: AbortSignal },
): Promise<KubeObject | undefined> {
  try {
    return await client.get(type, ref, options);
  } catch (error) {
    if (isAppError(error) && error.code === 'ERR_KUBE_NOT_FOUND') return undefined;
    throw error;
  }
}
