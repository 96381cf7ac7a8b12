import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { builtPath, ensureBuilt } from '../../hack/stack/build/binaries.ts';
import { kubectl } from '../../hack/stack/stack.ts';
import { componentNamed } from '../../hack/stack/versions.ts';
import { checkout } from './chainwright-process.ts';
import type { KubeApi } from './kube-api.ts';

const release = componentNamed('tekton-chains-config');
const kinds = 'deployments,services,configmaps,secrets,roles,rolebindings';
const label = ['-l', 'app.kubernetes.io/part-of=tekton-chains'];

/** Path of Chains' ConfigMap. */
export const chainsConfigPath = '/api/v1/namespaces/tekton-chains/configmaps/chains-config';

/** Applies the manifests of Tekton Chains' release as its documentation says, so that kubectl owns the fields by name. */
export async function installChains(): Promise<void> {
  await ensureBuilt([release]);
  const files = (await readdir(builtPath(release))).filter((name) => name.endsWith('.yaml')).sort();
  for (const file of files) await kubectl(['apply', '-f', join(builtPath(release), file)]);
}

/** Takes away what {@link installChains} brought; the namespace stays, and the ServiceAccount by which other tests sign. */
export async function removeChains(): Promise<void> {
  await kubectl(['-n', 'tekton-chains', 'delete', '--ignore-not-found', kinds, ...label]);
  await kubectl(['delete', '--ignore-not-found', 'clusterroles,clusterrolebindings', ...label]);
  await kubectl(['apply', '--server-side', '-f', join(checkout, 'config/base/rbac.yaml')]);
}

/** Writes the keys of `chains-config` as a user does, in place of those that are there. */
export async function writeChainsConfig(api: KubeApi, data: Readonly<Record<string, string>>): Promise<void> {
  await api.mergePatch(chainsConfigPath, { data: null });
  await api.mergePatch(chainsConfigPath, { data });
}
