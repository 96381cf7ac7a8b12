import { LRUCache } from 'lru-cache';
import { pullSecretFault } from '../../admission/admission-fault.ts';
import { accountKey } from '../../admission/image-stores.ts';
import type { ImageStores, WorkloadAccount } from '../../admission/image-stores.ts';
import type { PullSecrets, PullSecretSource } from '../../kube/pull-secrets.ts';
import type { Log } from '../../model/log.ts';
import { chainCredentialSources } from '../../registry/credentials.ts';
import type { CredentialSource } from '../../registry/credentials.ts';
import { dockerConfigSource, findDockerCredentials } from '../../registry/docker-config.ts';
import type { Registries } from '../../registry/distribution-store.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import type { AdmissionMetrics } from '../../telemetry/admission-metrics.ts';
import { readSecretConfigs } from '../wiring/run-credentials.ts';

/** What the stores are made of. */
export interface WorkloadStoreParts {
  readonly registries: Pick<Registries, 'withCredentials'>;
  readonly pullSecrets: Pick<PullSecretSource, 'find' | 'findIn'>;
  readonly ownCredentials: CredentialSource;
  readonly metrics: Pick<AdmissionMetrics, 'cacheAsked'>;
  readonly log: Pick<Log, 'warn'>;
}

// A store remembers which credentials a registry took, so that accounts in use do not begin anew each time.
const maxStores = 1024;
const storeMs = 60_000;

/** The registries as workloads see them: by the credentials that the kubelet would pull with. */
export function openWorkloadStores(parts: WorkloadStoreParts): ImageStores {
  const { registries, pullSecrets, metrics, log } = parts;
  const stores = new LRUCache<string, ImageStore>({ max: maxStores, ttl: storeMs });
  return {
    forWorkload: (account) => {
      const key = accountKey(account);
      const known = stores.get(key);
      metrics.cacheAsked('credentials', known === undefined ? 'miss' : 'hit');
      if (known !== undefined) return known;
      const store = registries.withCredentials(credentialsOf(account, parts));
      stores.set(key, store);
      return store;
    },
    forSecrets: async (namespace, names, options) => {
      const { configs, problems } = await pullSecrets.findIn(namespace, names, options);
      if (problems.length > 0) throw pullSecretFault(namespace, problems);
      return registries.withCredentials(dockerConfigSource(readSecretConfigs(configs, log)));
    },
    problemsOf: async (account, options) => {
      const found = await readAll(account, parts, options);
      return found.flatMap(({ problems }) => problems);
    },
  };
}

/** The Pod's own Secrets, its ServiceAccount's, then this process's credentials; read when a registry wants some. */
function credentialsOf(account: WorkloadAccount, parts: WorkloadStoreParts): CredentialSource {
  const ofWorkload: CredentialSource = {
    find: async (repository, options) => {
      const found = await readAll(account, parts, options);
      const configs = found.flatMap((secrets) => readSecretConfigs(secrets.configs, parts.log));
      return findDockerCredentials(configs, repository);
    },
  };
  return chainCredentialSources([ofWorkload, parts.ownCredentials]);
}

async function readAll(
  { namespace, serviceAccount, pullSecrets: names }: WorkloadAccount,
  { pullSecrets }: WorkloadStoreParts,
  options: { readonly signal: AbortSignal },
): Promise<readonly PullSecrets[]> {
  return Promise.all([
    ...(names.length === 0 ? [] : [pullSecrets.findIn(namespace, names, options)]),
    pullSecrets.find({ namespace, serviceAccount }, options),
  ]);
}
