import { findObject } from '../../kube/find-object.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { isRecord } from '../../kube/kube-object.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import type { NamedPolicy } from '../../settings/policy-narrowing.ts';
import { signingPolicySchema } from '../../settings/signing-policy.ts';

interface Reader {
  readonly client: Pick<KubeClient, 'get' | 'list'>;
  readonly signal: AbortSignal;
}

/** The ChainwrightConfig `default` of the cluster, if there is one. Throws ERR_KUBE_*. */
export async function readSettingsObject({ client, signal }: Reader): Promise<KubeObject | undefined> {
  return findObject(client, resourceTypes.chainwrightConfigs, { name: 'default' }, { signal });
}

/** `data` of `chains-config` in that namespace, if there is one. Throws ERR_KUBE_*. */
export async function readChainsData(
  { client, signal }: Reader,
  namespace: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  const object = await findObject(
    client,
    resourceTypes.configMaps,
    { namespace, name: 'chains-config' },
    { signal },
  );
  if (object === undefined) return undefined;
  const data = isRecord(object['data']) ? object['data'] : {};
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, String(value)]));
}

/** The SigningPolicies of a namespace that can be read, and the names of the others. Throws ERR_KUBE_*. */
export async function readPolicies(
  { client, signal }: Reader,
  namespace: string,
): Promise<{ readonly policies: readonly NamedPolicy[]; readonly unreadable: readonly string[] }> {
  const { items } = await client.list(resourceTypes.signingPolicies, { namespace, signal });
  const parsed = items.map(({ metadata, spec }) => ({
    name: metadata.name,
    spec: signingPolicySchema.safeParse(spec ?? {}).data,
  }));
  return {
    policies: parsed.flatMap(({ name, spec }) => (spec === undefined ? [] : [{ namespace, name, spec }])),
    unreadable: parsed.filter(({ spec }) => spec === undefined).map(({ name }) => name),
  };
}
