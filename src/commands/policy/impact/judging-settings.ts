import { findObject } from '../../../kube/find-object.ts';
import type { KubeClient } from '../../../kube/kube-client.ts';
import { resourceTypes } from '../../../kube/resource-type.ts';
import { objectIn } from '../../../model/json-object.ts';

/**
 * Of the cluster's ChainwrightConfig what says whom to trust, as an object of settings; undefined if there is none. The
 * rest is about the webhook's own machine. Throws ERR_KUBE_*.
 */
export async function findJudgingSettings(
  client: Pick<KubeClient, 'get'>,
  signal: AbortSignal,
): Promise<unknown> {
  const object = await findObject(client, resourceTypes.chainwrightConfigs, { name: 'default' }, { signal });
  if (object === undefined) return undefined;
  const { trustRootRef } = objectIn(objectIn(object['spec'])['trustedRoot']);
  const { apiVersion, kind } = object;
  const spec = trustRootRef === undefined ? {} : { trustedRoot: { trustRootRef } };
  return { apiVersion, kind, metadata: { name: 'default' }, spec };
}
