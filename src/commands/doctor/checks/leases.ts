import { leaseGroupLabel, readLease } from '../../../kube/leases/lease-record.ts';
import { resourceTypes } from '../../../kube/resource-type.ts';
import { listObjects } from '../cluster-objects.ts';
import type { Check } from '../examination.ts';

const staleAfter = 4;
// A controller that watches other namespaces than before shares by other Leases; the older ones stay behind.
const watchedSuffix = /-[0-9a-f]{10}$/;

/** Replicas that share work by Leases: of each group somebody must be alive. */
export const leasesCheck: Check = {
  name: 'leases',
  needs: 'cluster',
  look: async (parts) => {
    const objects = await listObjects(parts, resourceTypes.leases, { labelSelector: leaseGroupLabel });
    const groups = Map.groupBy(
      objects,
      ({ metadata: { namespace = '', labels = {} } }) =>
        `${namespace}/${(labels[leaseGroupLabel] ?? '').replace(watchedSuffix, '')}`,
    );
    const nowMs = parts.clock.now().getTime();
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
  },
};
