import type { KubeClient } from './kube-client.ts';
import type { KubeObject } from './kube-object.ts';
import type { ObjectRef, ResourceType } from './resource-type.ts';
import { unlessGone } from './unless-gone.ts';

/** One object, or undefined if there is none. Throws ERR_KUBE_*. */
export function findObject(
  client: Pick<KubeClient, 'get'>,
  type: ResourceType,
  ref: ObjectRef,
  options: { readonly signal: AbortSignal },
): Promise<KubeObject | undefined> {
  return unlessGone(() => client.get(type, ref, options));
}
