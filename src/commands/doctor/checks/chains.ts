import { formatObjectRef, resourceTypes } from '../../../kube/resource-type.ts';
import { fieldOf, listObjects, recordsIn, textOf } from '../cluster-objects.ts';
import type { Check } from '../examination.ts';

/** Tekton Chains' own Deployment, scaled to more than nothing. */
export const chainsCheck: Check = {
  name: 'chains',
  needs: 'cluster',
  look: async (parts) => {
    const labelSelector = 'app.kubernetes.io/part-of=tekton-chains';
    const deployments = await listObjects(parts, resourceTypes.deployments, { labelSelector });
    return deployments.flatMap(({ metadata, spec }) => {
      const replicas = fieldOf(spec, 'replicas');
      if (replicas === 0) return [];
      const [container] = recordsIn(fieldOf(spec, 'template', 'spec', 'containers'));
      const message = `it has ${String(replicas)} replicas of ${textOf(container?.['image']).slice(0, 200)}`;
      return [{ id: 'chains-running', object: `Deployment ${formatObjectRef(metadata)}`, message } as const];
    });
  },
};
