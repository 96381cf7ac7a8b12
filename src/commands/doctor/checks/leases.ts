import type { KubeObject } from '../../../kube/kube-object.ts';
import { leaseGroupLabel, readLease } from '../../../kube/leases/lease-record.ts';
import { resourceTypes } from '../../../kube/resource-type.ts';
import { listObjects, unlessForbidden } from '../cluster-objects.ts';
import type { Check, ClusterParts } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';

const staleAfter = 4;
// A controller that watches other namespaces than before shares by other Leases; the older ones stay behind.
const watchedSuffix = /-[0-9a-f]{10}$/;

/** Replicas that share work by Leases: of each group somebody must be alive. In our own namespace alone where we may not see more. */
export const leasesCheck: Check = {
  name: 'leases',
  needs: 'cluster',
  look: async (parts) => {
    const everywhere = await unlessForbidden(lookIn(undefined, parts), 'Leases of other namespaces');
    const isBlind = everywhere.some(({ id }) => id === 'not-checked');
    return isBlind ? [...everywhere, ...(await lookIn(parts.account.namespace, parts))] : everywhere;
  },
};

async function lookIn(namespace: string | undefined, parts: ClusterParts): Promise<readonly Discovery[]> {
  const objects = await listObjects(parts, resourceTypes.leases, {
    labelSelector: leaseGroupLabel,
    ...(namespace === undefined ? {} : { namespace }),
  });
  return judge(objects, parts.clock.now().getTime());
}

function judge(objects: readonly KubeObject[], nowMs: number): readonly Discovery[] {
  const groups = Map.groupBy(
    objects,
    ({ metadata: { namespace = '', labels = {} } }) =>
      `${namespace}/${(labels[leaseGroupLabel] ?? '').replace(watchedSuffix, '')}`,
  );
  return [...groups].flatMap(([group, leases]) => {
    const records = leases.map(readLease);
    const ages = records.map(({ renewTime }) => nowMs - Date.parse(renewTime));
    const isAlive = records.some(
      ({ holder, durationMs }, at) => holder !== '' && (ages[at] ?? Infinity) < staleAfter * durationMs,
    );
    if (isAlive) return [];
    const youngest = Math.min(...ages.filter((age) => !Number.isNaN(age)));
    const message = Number.isFinite(youngest)
      ? `the last one was renewed ${Math.round(youngest / 1000)} s ago`
      : 'none was ever renewed';
    return [{ id: 'lease-stale', object: `Leases ${group}`, message } as const];
  });
}
