import { findCondition } from '../../../kube/conditions.ts';
import type { KubeObject } from '../../../kube/kube-object.ts';
import { resourceTypes } from '../../../kube/resource-type.ts';
import { readClusterImagePolicy } from '../../../policy/cluster-image-policy.ts';
import type { ClusterImagePolicy } from '../../../policy/cluster-image-policy.ts';
import { formatFieldFaults } from '../../../policy/field-fault.ts';
import { listGlobWarnings } from '../../../policy/policy-warnings.ts';
import { listObjects } from '../cluster-objects.ts';
import type { Check } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';

/** The labels by which namespaces ask to be judged. */
const judgedLabels = ['sigstore-policy=enforce', 'policy.sigstore.dev/include=true'];

/** Policies: there where namespaces are judged, usable, and about images that can be. */
export const policiesCheck: Check = {
  name: 'policies',
  needs: 'cluster',
  look: async (parts) => {
    const [policies, roots, ...labelled] = await Promise.all([
      listObjects(parts, resourceTypes.clusterImagePolicies),
      listObjects(parts, resourceTypes.trustRoots),
      ...judgedLabels.map((labelSelector) => listObjects(parts, resourceTypes.namespaces, { labelSelector })),
    ]);
    const rootNames = new Set(roots.map(({ metadata }) => metadata.name));
    const judged = labelled.flat();
    const isNone = policies.length === 0 && judged.length > 0;
    const message = `every image is denied in ${judged.map(({ metadata }) => metadata.name).join(', ')}`;
    return [
      ...(isNone ? [{ id: 'policy-none', object: 'ClusterImagePolicies', message } as const] : []),
      ...policies.flatMap((object) => judge(object, { rootNames, namespace: parts.account.namespace })),
    ];
  },
};

function judge(
  policy: KubeObject,
  { rootNames, namespace }: { readonly rootNames: ReadonlySet<string>; readonly namespace: string },
): readonly Discovery[] {
  const object = `ClusterImagePolicy ${policy.metadata.name}`;
  const { policy: read, faults } = readClusterImagePolicy(policy, namespace);
  if (read === undefined) return [{ id: 'policy-broken', object, message: formatFieldFaults(faults) }];
  const absent = trustRootsOf(read).filter((name) => !rootNames.has(name));
  const ready = findCondition(policy, 'Ready');
  return [
    ...absent.map((name) => ({
      id: 'policy-trust-root' as const,
      object,
      message: `there is no TrustRoot ${name}`,
    })),
    // That its trust root is missing was said already.
    ...(absent.length === 0 && ready?.status === 'False'
      ? [{ id: 'policy-broken', object, message: ready.message } as const]
      : []),
    ...listGlobWarnings(read).map((message) => ({ id: 'policy-glob' as const, object, message })),
  ];
}

function trustRootsOf({ authorities }: ClusterImagePolicy): readonly string[] {
  const names = authorities.flatMap(({ keyless, ctlog, rfc3161timestamp }) =>
    [keyless, ctlog, rfc3161timestamp].map((part) => part?.trustRootRef ?? ''),
  );
  return [...new Set(names.filter((name) => name !== ''))];
}
