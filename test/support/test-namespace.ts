import { randomBytes } from 'node:crypto';
import type { KubeApi, KubeObject } from './kube-api.ts';

const collections = [
  '/api/v1/namespaces/NS/events',
  '/api/v1/namespaces/NS/secrets',
  '/api/v1/namespaces/NS/configmaps',
  '/api/v1/namespaces/NS/serviceaccounts',
  '/api/v1/namespaces/NS/pods?gracePeriodSeconds=0',
  '/apis/apps/v1/namespaces/NS/replicasets',
  '/apis/apps/v1/namespaces/NS/deployments',
  '/apis/coordination.k8s.io/v1/namespaces/NS/leases',
  '/apis/chainwright.dev/v1alpha1/namespaces/NS/imagepolicyexceptions',
  '/apis/chainwright.dev/v1alpha1/namespaces/NS/signingrecords',
];

/**
 * A namespace of a test's own, with the ServiceAccount `default` (no controller manager runs in the stack to make it).
 * `pullSecret`, if given, is the content of a `.dockerconfigjson` that the account names as imagePullSecret.
 */
export async function createNamespace(api: KubeApi, stem: string): Promise<string> {
  const name = `${stem}-${randomBytes(4).toString('hex')}`;
  await api.create('/api/v1/namespaces', { metadata: { name, labels: { 'chainwright.dev/test': stem } } });
  await api.create(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } });
  return name;
}

/**
 * Removes a namespace with all that the tests and the controller put into it. Without a controller manager nobody else
 * would: the content is deleted here, and the namespace's finalizer is taken off.
 */
export async function deleteNamespace(api: KubeApi, name: string): Promise<void> {
  const runs = `/apis/tekton.dev/v1/namespaces/${name}/taskruns`;
  await api.delete(runs);
  const held = await api.list(runs);
  for (const run of held) await releaseRun(api, `${runs}/${run.metadata.name}`, run);
  for (const path of collections) await api.delete(path.replace('NS', name));
  await api.delete(`/api/v1/namespaces/${name}`);
  await api.replace(`/api/v1/namespaces/${name}/finalize`, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
    spec: { finalizers: [] },
  });
}

async function releaseRun(api: KubeApi, path: string, run: KubeObject): Promise<void> {
  if ((run.metadata.finalizers ?? []).length === 0) return;
  // 404: a controller that still runs was faster.
  await api.mergePatch(path, { metadata: { finalizers: null } }).catch(() => undefined);
}
