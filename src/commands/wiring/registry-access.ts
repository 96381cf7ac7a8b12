import { X509Certificate } from 'node:crypto';
import type { KubeClient } from '../../kube/kube-client.ts';
import { isRecord } from '../../kube/kube-object.ts';
import type { PullSecretSource } from '../../kube/pull-secrets.ts';
import { formatObjectRef, resourceTypes } from '../../kube/resource-type.ts';
import { AppError } from '../../model/errors.ts';
import type { Repository } from '../../model/image-reference.ts';
import type { Log } from '../../model/log.ts';
import type { Credentials, CredentialSource } from '../../registry/credentials.ts';
import { findDockerCredentials } from '../../registry/docker-config.ts';
import type { CallOptions } from '../../registry/image-store.ts';
import { registrySettings } from '../../settings/registry-settings.ts';
import type { RegistrySettings } from '../../settings/registry-settings.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { readCertificates } from './dispatchers.ts';
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

/**
 * How hosts are trusted, with what is in the files, ConfigMaps and Secrets that hold authorities. Throws
 * ERR_SETTINGS_CA_FILE, ERR_SETTINGS_AUTHORITY, ERR_KUBE_*.
 */
export async function readHostTrust(
  settings: Pick<Settings, 'registries'>,
  reader: ClusterReader,
): Promise<ReadonlyMap<string, HostTrust>> {
  const trust = new Map<string, HostTrust>();
  for (const { host, caFile, ca, insecure } of settings.registries) {
    const authorities = [
      ...(caFile === undefined ? [] : [await readCertificates(caFile)]),
      ...(ca === undefined ? [] : [await readAuthority(ca, reader)]),
    ];
    trust.set(host, { caPem: authorities.join('\n'), unsafeSkipVerify: insecure });
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

/** Where the credentials come from that are ours to send. */
export interface OwnCredentialParts {
  readonly pullSecrets: Pick<PullSecretSource, 'findIn'>;
  /** Our own namespace. */
  readonly namespace: string;
  /** Credentials that no settings name: those of this process. */
  readonly unnamed: CredentialSource;
  readonly log: Pick<Log, 'warn'>;
}

/**
 * The credentials that settings name for a registry, then the unnamed ones. A registry whose authority comes from another
 * namespace is sent credentials of that namespace alone: there a tenant says whom to believe. A Secret that cannot be read
 * gives none, with a warning.
 */
export function ownCredentials(settings: Settings, parts: OwnCredentialParts): CredentialSource {
  const { namespace, unnamed } = parts;
  return {
    find: async (repository, options) => {
      const { ca, credentials: named } = registrySettings(settings, repository.registry);
      const believed = ca?.namespace ?? namespace;
      const maySend = (from: string): boolean => believed === namespace || believed === from;
      const where = named?.namespace ?? namespace;
      return [
        ...(named !== undefined && maySend(where)
          ? await readNamed({ where, name: named.name, repository }, parts, options)
          : []),
        ...(maySend(namespace) ? await unnamed.find(repository, options) : []),
      ];
    },
  };
}

async function readNamed(
  asked: { readonly where: string; readonly name: string; readonly repository: Repository },
  { pullSecrets, log }: OwnCredentialParts,
  options: CallOptions,
): Promise<readonly Credentials[]> {
  const { configs, problems } = await pullSecrets.findIn(asked.where, [asked.name], options);
  for (const problem of problems)
    log.warn('credentials that the settings name cannot be read', { error: problem });
  return findDockerCredentials(readSecretConfigs(configs, log), asked.repository);
}
