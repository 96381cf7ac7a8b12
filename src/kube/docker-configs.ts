import { isRecord } from './kube-object.ts';
import type { KubeObject } from './kube-object.ts';

/** A docker configuration out of a Secret; `bytes` hold passwords and are never logged. */
export interface DockerConfig {
  /** `namespace/name` of the Secret, for messages. */
  readonly secret: string;
  /** `config`: a `config.json` with `auths`; `legacy`: a `.dockercfg`, the map of registries itself. */
  readonly format: 'config' | 'legacy';
  readonly bytes: Uint8Array;
}

const jsonKey = '.dockerconfigjson';
const legacyKey = '.dockercfg';
const tektonPrefix = 'tekton.dev/docker-';

/**
 * The docker configurations that a Secret holds: types `kubernetes.io/dockerconfigjson` and `kubernetes.io/dockercfg`,
 * `Opaque` with a `.dockerconfigjson`, and `kubernetes.io/basic-auth` with Tekton's annotations `tekton.dev/docker-*`
 * (docs/auth.md of Tekton Pipelines), each of which names a registry.
 */
export function collectDockerConfigs(secret: KubeObject): DockerConfig[] {
  const name = `${secret.metadata.namespace ?? ''}/${secret.metadata.name}`;
  switch (secret['type']) {
    case 'kubernetes.io/dockerconfigjson':
    case 'Opaque':
      return wrap(name, 'config', decode(secret, jsonKey));
    case 'kubernetes.io/dockercfg':
      return wrap(name, 'legacy', decode(secret, legacyKey));
    case 'kubernetes.io/basic-auth':
      return wrap(name, 'config', configOfBasicAuth(secret));
    default:
      return [];
  }
}

function wrap(secret: string, format: DockerConfig['format'], bytes: Uint8Array | undefined): DockerConfig[] {
  return bytes === undefined ? [] : [{ secret, format, bytes }];
}

function decode(secret: KubeObject, key: string): Buffer | undefined {
  const data = secret['data'];
  const value = isRecord(data) ? data[key] : undefined;
  return typeof value === 'string' ? Buffer.from(value, 'base64') : undefined;
}

function configOfBasicAuth(secret: KubeObject): Uint8Array | undefined {
  const registries = Object.entries(secret.metadata.annotations ?? {})
    .filter(([annotation]) => annotation.startsWith(tektonPrefix))
    .map(([, registry]) => registry);
  const username = decode(secret, 'username')?.toString('utf8');
  const password = decode(secret, 'password')?.toString('utf8');
  if (registries.length === 0 || username === undefined || password === undefined) return undefined;
  const auths = Object.fromEntries(registries.map((registry) => [registry, { username, password }]));
  return Buffer.from(JSON.stringify({ auths }));
}
