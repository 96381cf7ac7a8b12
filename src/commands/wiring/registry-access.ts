import { X509Certificate } from 'node:crypto';
import type { KubeClient } from '../../kube/kube-client.ts';
import { isRecord } from '../../kube/kube-object.ts';
import type { PullSecretSource } from '../../kube/pull-secrets.ts';
import { formatObjectRef, resourceTypes } from '../../kube/resource-type.ts';
import { AppError } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import type { CredentialSource } from '../../registry/credentials.ts';
import { findDockerCredentials } from '../../registry/docker-config.ts';
import { registrySettings } from '../../settings/registry-settings.ts';
import type { RegistrySettings } from '../../settings/registry-settings.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { hostTrustOf } from './attestation.ts';
import type { HostTrust } from './dispatchers.ts';
import { readSecretConfigs } from './run-credentials.ts';

/** Where the objects lie that settings name without a namespace. */
export interface ClusterReader {
  readonly client: Pick<KubeClient, 'get'>;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

type AuthorityRef = NonNullable<RegistrySettings['ca']>;

// A certificate takes some 2 KiB, and a registry has a handful of authorities.
const maxAuthorityBytes = 1024 * 1024;
const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** How hosts are trusted, with the authorities in ConfigMaps and Secrets. Throws ERR_SETTINGS_AUTHORITY, ERR_KUBE_*. */
export async function readHostTrust(
  settings: Settings,
  reader: ClusterReader,
): Promise<ReadonlyMap<string, HostTrust>> {
  const trust = new Map(hostTrustOf(settings));
  for (const { host, ca } of settings.registries) {
    if (ca !== undefined) trust.set(host, { ...trust.get(host), caPem: await readAuthority(ca, reader) });
  }
  return trust;
}

/** The certificates that a ConfigMap or Secret holds, as PEM. */
async function readAuthority(
  { kind, name, key, namespace }: AuthorityRef,
  reader: ClusterReader,
): Promise<string> {
  const ref = { namespace: namespace ?? reader.namespace, name };
  const type = kind === 'Secret' ? resourceTypes.secrets : resourceTypes.configMaps;
  const object = await reader.client.get(type, ref, { signal: reader.signal });
  const data = isRecord(object['data']) ? object['data'] : {};
  const value = Object.hasOwn(data, key) ? data[key] : undefined;
  const text = typeof value !== 'string' ? '' : decoded(value, kind);
  const certificates = text.length > maxAuthorityBytes ? [] : (text.match(certificatePattern) ?? []);
  if (certificates.length > 0 && certificates.every(isCertificate)) return certificates.join('\n');
  const where = `${kind} ${formatObjectRef(ref)}, key ${key}`;
  throw new AppError('ERR_SETTINGS_AUTHORITY', `${where}, holds no certificates of an authority`, {
    kind: 'permanent',
    object: formatObjectRef(ref),
    remedy: 'Put the certificates there as PEM, or name the object and key where they are.',
  });
}

function decoded(value: string, kind: AuthorityRef['kind']): string {
  return kind === 'Secret' ? Buffer.from(value, 'base64').toString('latin1') : value;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    // What node cannot parse is none.
    return false;
  }
}

/** The credentials that settings name for a registry. A Secret that cannot be read gives none, with a warning. */
export function settingsCredentials(
  settings: Settings,
  parts: {
    readonly pullSecrets: Pick<PullSecretSource, 'findIn'>;
    readonly namespace: string;
    readonly log: Pick<Log, 'warn'>;
  },
): CredentialSource {
  const { pullSecrets, namespace, log } = parts;
  return {
    find: async (repository, options) => {
      const named = registrySettings(settings, repository.registry).credentials;
      if (named === undefined) return [];
      const where = named.namespace ?? namespace;
      const { configs, problems } = await pullSecrets.findIn(where, [named.name], options);
      for (const problem of problems)
        log.warn('credentials that the settings name cannot be read', { error: problem });
      return findDockerCredentials(readSecretConfigs(configs, log), repository);
    },
  };
}

/**
 * The process's own credentials, kept from registries whose authority comes from another namespace than ours: there a
 * tenant says whom to believe.
 */
export function guardedCredentials(
  own: CredentialSource,
  settings: Settings,
  namespace: string,
): CredentialSource {
  return {
    find: async (repository, options) => {
      const { ca } = registrySettings(settings, repository.registry);
      const isForeign = ca?.namespace !== undefined && ca.namespace !== namespace;
      return isForeign ? [] : own.find(repository, options);
    },
  };
}
