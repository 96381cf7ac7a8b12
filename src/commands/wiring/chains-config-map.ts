import { isAppError } from '../../model/errors.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { isRecord } from '../../kube/kube-object.ts';

const configMaps = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
} as const;

/** `data` of Tekton Chains' ConfigMap `chains-config`; undefined where there is none. Throws what the client throws. */
export async function readChainsConfigMap(
  client: Pick<KubeClient, 'get'>,
  namespace: string,
  options: { readonly signal: AbortSignal },
): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    const object = await client.get(configMaps, { namespace, name: 'chains-config' }, options);
    const data = isRecord(object['data']) ? object['data'] : {};
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, String(value)]));
  } catch (error) {
    if (isAppError(error) && error.code === 'ERR_KUBE_NOT_FOUND') return undefined;
    throw error;
  }
}
