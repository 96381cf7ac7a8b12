import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../model/clock.ts';
import { openInClusterAccess, serviceAccountFolder } from '../../kube/in-cluster-access.ts';
import type { ClusterAccess } from '../../kube/cluster-access.ts';
import { openKubeconfigAccess } from '../../kube/kubeconfig-access.ts';

/** The process's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The cluster to work on: the files that KUBECONFIG names, else the one whose Pod we are in, else `~/.kube/config`, as
 * kubectl and client-go choose. Throws ERR_KUBE_CONFIG.
 */
export async function openCluster(
  environment: Environment,
  clock: Clock,
  options: { readonly signal: AbortSignal },
): Promise<ClusterAccess> {
  const [first, ...rest] = (environment['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '');
  if (first !== undefined) return openKubeconfigAccess({ paths: [first, ...rest], clock }, options);
  const host = environment['KUBERNETES_SERVICE_HOST'];
  const port = environment['KUBERNETES_SERVICE_PORT'];
  if (host !== undefined && port !== undefined) {
    return openInClusterAccess({ host, port, folder: serviceAccountFolder, clock }, options);
  }
  return openKubeconfigAccess({ paths: [join(homedir(), '.kube', 'config')], clock }, options);
}
