import { findCondition } from '../../../kube/conditions.ts';
import type { KubeObject } from '../../../kube/kube-object.ts';
import { resourceTypes } from '../../../kube/resource-type.ts';
import { listObjects } from '../cluster-objects.ts';
import type { Check } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';

const conditions = [
  { type: 'Ready', id: 'monitor-broken' },
  { type: 'Healthy', id: 'monitor-alarm' },
  { type: 'CaughtUp', id: 'monitor-behind' },
] as const;

/** LogMonitors: followed, read to the end, without an alarm that nobody looked into. */
export const monitorsCheck: Check = {
  name: 'monitors',
  needs: 'cluster',
  look: async (parts) => {
    const monitors = await listObjects(parts, resourceTypes.logMonitors);
    return monitors.flatMap(judge);
  },
};

function judge(monitor: KubeObject): readonly Discovery[] {
  const object = `LogMonitor ${monitor.metadata.name}`;
  if (findCondition(monitor, 'Ready') === undefined) {
    return [{ id: 'monitor-absent', object, message: 'it has no condition Ready' }];
  }
  return conditions.flatMap(({ type, id }) => {
    const condition = findCondition(monitor, type);
    return condition?.status === 'False' ? [{ id, object, message: condition.message }] : [];
  });
}
