import type { KubeApi, KubeObject } from './kube-api.ts';
import { waitFor } from './waiting.ts';

/** A condition as `kubectl describe` shows it. */
export interface ShownCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** An object with conditions, and what else the tests read of its status. */
export interface ObjectWithStatus extends KubeObject {
  readonly metadata: KubeObject['metadata'] & { readonly generation?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly ShownCondition[];
    readonly inForce?: {
      readonly generation?: number;
      readonly builderId: string;
      readonly fields: readonly { readonly path: string; readonly source: string }[];
      readonly chainsConfig: readonly { readonly key: string; readonly verdict: string }[];
    };
    readonly fields?: readonly { readonly field: string; readonly verdict: string }[];
  };
}

const root = '/apis/chainwright.dev/v1alpha1';

/** Path of the ChainwrightConfig. */
export const settingsPath = `${root}/chainwrightconfigs/default`;

/** Path of a namespace's SigningPolicies, or of one. */
export function policyPath(namespace: string, name?: string): string {
  return `${root}/namespaces/${namespace}/signingpolicies${name === undefined ? '' : `/${name}`}`;
}

/** Creates a SigningPolicy. */
export async function createPolicy(
  api: KubeApi,
  namespace: string,
  name: string,
  spec: object,
): Promise<void> {
  await api.create(policyPath(namespace), {
    apiVersion: 'chainwright.dev/v1alpha1',
    kind: 'SigningPolicy',
    metadata: { name, namespace },
    spec,
  });
}

/** Waits until the status is about the object as it is now and says `Ready` as wanted: `True InForce`. */
export async function waitForReady(
  api: KubeApi,
  path: string,
  wanted: string,
): Promise<{ readonly ready: ShownCondition; readonly object: ObjectWithStatus }> {
  return waitFor(
    async () => {
      const object = await api.get<ObjectWithStatus>(path);
      const ready = object.status?.conditions?.find(({ type }) => type === 'Ready');
      const isCurrent = object.status?.observedGeneration === object.metadata.generation;
      return isCurrent && ready !== undefined && `${ready.status} ${ready.reason}` === wanted
        ? { ready, object }
        : undefined;
    },
    { what: `${path} being Ready ${wanted}`, timeoutMs: 90_000 },
  );
}
