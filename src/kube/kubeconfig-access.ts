import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '../model/clock.ts';
import { AppError, messageOf } from '../model/errors.ts';
import { CredentialCache } from './cluster-access.ts';
import type { ClusterAccess, ClusterCredentials, TlsMaterial } from './cluster-access.ts';

/** Which kubeconfig, and which cluster of it. */
export interface KubeconfigOptions {
  /** Files as in `KUBECONFIG`; later ones add to the first. */
  readonly paths: readonly [string, ...string[]];
  /** Context to use instead of the current one. */
  readonly context?: string | undefined;
  readonly clock: Clock;
}

/**
 * A cluster from kubeconfig files, with every way to authenticate that @kubernetes/client-node knows: client
 * certificates, tokens, token files, exec plugins, OIDC, basic. After a 401 everything is read again, so that a plugin
 * runs once more. The package is imported only here, because that costs about 60 MiB. Throws ERR_KUBE_CONFIG.
 */
export async function openKubeconfigAccess(
  options: KubeconfigOptions,
  { signal }: { readonly signal: AbortSignal },
): Promise<ClusterAccess> {
  let config = await loadKubeconfig(options);
  const cache = new CredentialCache(async ({ afterRefusal }) => {
    if (afterRefusal) config = await loadKubeconfig(options);
    return readCredentials(config, options.paths[0]);
  }, options.clock);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw unusable(options.paths[0], 'its current context names no cluster');
  await cache.credentials({ signal });
  return {
    server: cluster.server.replace(/\/+$/, ''),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    proxy: cluster.proxyUrl,
    credentials: (call) => cache.credentials(call),
  };
}

async function loadKubeconfig(options: KubeconfigOptions): Promise<KubeConfig> {
  const library = await import('@kubernetes/client-node');
  const [first, ...others] = options.paths;
  const config = new library.KubeConfig();
  try {
    config.loadFromFile(first);
    for (const path of others) {
      const added = new library.KubeConfig();
      added.loadFromFile(path);
      config.mergeConfig(added, true);
    }
  } catch (error) {
    throw unusable(first, messageOf(error), error);
  }
  if (options.context !== undefined) config.setCurrentContext(options.context);
  return config;
}

async function readCredentials(config: KubeConfig, path: string): Promise<ClusterCredentials> {
  const request: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(request);
  } catch (error) {
    throw unusable(path, messageOf(error), error);
  }
  return { headers: headersOf(request), tls: tlsOf(request) };
}

function headersOf(request: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  if (typeof request.auth === 'string') {
    headers['authorization'] = `Basic ${Buffer.from(request.auth).toString('base64')}`;
  }
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    if (typeof value === 'string') headers[name.toLowerCase()] = value;
  }
  return headers;
}

function tlsOf(request: RequestOptions): TlsMaterial {
  return {
    ...pemOf('ca', request.ca),
    ...pemOf('cert', request.cert),
    ...pemOf('key', request.key),
    ...(request.servername === undefined ? {} : { servername: request.servername }),
    ...(request.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: request.rejectUnauthorized }),
  };
}

function pemOf(field: 'ca' | 'cert' | 'key', value: unknown): TlsMaterial {
  return typeof value === 'string' || Buffer.isBuffer(value) ? { [field]: value } : {};
}

// what a plugin or file said may hold a secret only if it printed one to stderr; it is cut short
function unusable(path: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_KUBE_CONFIG', `${path} cannot be used: ${why.slice(0, 300)}`, {
    kind: 'permanent',
    object: path,
    remedy: 'Check the kubeconfig with kubectl, and that its context, files and plugins exist.',
    cause,
  });
}
