import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../model/clock.ts';
import { AppError, messageOf } from '../model/errors.ts';
import { CredentialCache } from './cluster-access.ts';
import type { ClusterAccess, ClusterCredentials } from './cluster-access.ts';

/** Where a Pod finds its API server. */
export interface InClusterOptions {
  /** `KUBERNETES_SERVICE_HOST`. */
  readonly host: string;
  /** `KUBERNETES_SERVICE_PORT`. */
  readonly port: string;
  /** Folder of the ServiceAccount volume, {@link serviceAccountFolder} in a Pod. */
  readonly folder: string;
  readonly clock: Clock;
}

/** Where the kubelet mounts the ServiceAccount's token and certificate authority. */
export const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The API server as a Pod sees it: address from the environment, token, certificate authority and namespace from the
 * ServiceAccount volume, read again every minute and after a 401. Does without @kubernetes/client-node, whose import
 * costs a third of the controller's memory target. Throws ERR_KUBE_CONFIG.
 */
export async function openInClusterAccess(
  options: InClusterOptions,
  { signal }: { readonly signal: AbortSignal },
): Promise<ClusterAccess> {
  if (options.host === '' || options.port === '') {
    throw noCluster('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not both set');
  }
  const host = isIPv6(options.host) ? `[${options.host}]` : options.host;
  const cache = new CredentialCache((call) => readCredentials(options.folder, call.signal), options.clock);
  await cache.credentials({ signal });
  return {
    server: `https://${host}:${options.port}`,
    namespace: await readNamespace(options.folder, signal),
    credentials: (call) => cache.credentials(call),
  };
}

async function readCredentials(folder: string, signal: AbortSignal): Promise<ClusterCredentials> {
  try {
    const token = await readFile(join(folder, 'token'), { encoding: 'utf8', signal });
    const ca = await readFile(join(folder, 'ca.crt'), { signal });
    return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
  } catch (error) {
    throw noCluster(messageOf(error), error);
  }
}

async function readNamespace(folder: string, signal: AbortSignal): Promise<string> {
  try {
    const text = await readFile(join(folder, 'namespace'), { encoding: 'utf8', signal });
    return text.trim() === '' ? 'default' : text.trim();
  } catch {
    // the file is absent where only a projected token is mounted
    return 'default';
  }
}

function noCluster(why: string, cause?: unknown): AppError {
  return new AppError('ERR_KUBE_CONFIG', `the ServiceAccount volume cannot be used: ${why}`, {
    kind: 'permanent',
    remedy: 'Run in a Pod with a mounted ServiceAccount token, or give a kubeconfig.',
    cause,
  });
}
