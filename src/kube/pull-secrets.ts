import { LRUCache } from 'lru-cache';
import { AppError, isAppError } from '../model/errors.ts';
import { collectDockerConfigs } from './docker-configs.ts';
import type { DockerConfig } from './docker-configs.ts';
import type { CallOptions, KubeClient } from './kube-client.ts';
import { isRecord } from './kube-object.ts';
import type { KubeObject } from './kube-object.ts';
import { resourceTypes } from './resource-type.ts';

/** The registry credentials that a ServiceAccount's Secrets hold. */
export interface PullSecrets {
  readonly configs: readonly DockerConfig[];
  /** Why a Secret, or the account, gave nothing: for the message when a registry refuses. */
  readonly problems: readonly string[];
}

/** How the source is made. */
export interface PullSecretsOptions {
  readonly client: Pick<KubeClient, 'get'>;
  /** Milliseconds that an answer serves; 30 s if absent. */
  readonly ttlMs?: number;
}

/** Names a ServiceAccount; an empty name means `default`. */
export interface AccountRef {
  readonly namespace: string;
  readonly serviceAccount: string;
}

const bounds = {
  accounts: 500,
  /** Bytes of all credentials kept. */
  bytes: 8 * 1024 * 1024,
  /** An account with more Secrets than this is none that a person keeps. */
  secrets: 32,
} as const;

const problemTtlMs = 3000;

interface Reading {
  readonly namespace: string;
  /** Absent: the names are those of Secrets. */
  readonly account?: string;
  readonly names: readonly string[];
}

/**
 * Registry credentials of ServiceAccounts: of all Secrets under `imagePullSecrets` and `secrets`, docker configs of
 * either age, Opaque ones with a `.dockerconfigjson`, and Tekton's annotated basic-auth ones. Kept for half a minute;
 * those who ask for one account at a time share the reading.
 */
export class PullSecretSource {
  readonly #client: Pick<KubeClient, 'get'>;
  readonly #cache: LRUCache<string, PullSecrets, Reading>;

  constructor(options: PullSecretsOptions) {
    this.#client = options.client;
    this.#cache = new LRUCache<string, PullSecrets, Reading>({
      max: bounds.accounts,
      maxSize: bounds.bytes,
      ttl: options.ttlMs ?? 30_000,
      sizeCalculation: ({ configs }) => configs.reduce((sum, config) => sum + config.bytes.length, 1024),
      fetchMethod: async (_key, _stale, { signal, context, options: kept }) => {
        const read = await this.#read(context, signal);
        // What is wrong with a Secret is mended soon as often as not.
        if (read.problems.length > 0) kept.ttl = Math.min(kept.ttl ?? problemTtlMs, problemTtlMs);
        return read;
      },
    });
  }

  /** The credentials of one account; what cannot be read for good is a problem in the answer, a passing fault throws. */
  async find(ref: AccountRef, { signal }: CallOptions): Promise<PullSecrets> {
    const account = ref.serviceAccount === '' ? 'default' : ref.serviceAccount;
    return this.#share({ namespace: ref.namespace, account, names: [] }, signal);
  }

  /** The credentials in these Secrets of a namespace, as {@link PullSecretSource.find}. */
  async findIn(namespace: string, names: readonly string[], { signal }: CallOptions): Promise<PullSecrets> {
    return this.#share({ namespace, names }, signal);
  }

  async #share(context: Reading, signal: AbortSignal): Promise<PullSecrets> {
    signal.throwIfAborted();
    const { namespace, account, names } = context;
    // the reading is shared, so it has its own end: the client's deadline
    const reading = this.#cache.forceFetch(JSON.stringify([namespace, account, ...names]), { context });
    return raceAbort(reading, signal);
  }

  async #read({ namespace, account: name, names }: Reading, signal: AbortSignal): Promise<PullSecrets> {
    if (name === undefined) return this.#readSecrets(namespace, names, signal);
    const account = await this.#get(resourceTypes.serviceAccounts, { namespace, name }, signal);
    if (typeof account === 'string') return { configs: [], problems: [account] };
    return this.#readSecrets(namespace, secretNamesOf(account), signal);
  }

  async #readSecrets(namespace: string, names: readonly string[], signal: AbortSignal): Promise<PullSecrets> {
    const configs: DockerConfig[] = [];
    const problems: string[] = [];
    if (names.length > bounds.secrets) problems.push(`only the first ${bounds.secrets} Secrets are read`);
    for (const name of names.slice(0, bounds.secrets)) {
      const secret = await this.#get(resourceTypes.secrets, { namespace, name }, signal);
      if (typeof secret === 'string') problems.push(secret);
      else configs.push(...collectDockerConfigs(secret));
    }
    return { configs, problems };
  }

  // the object, or why there is none to be had
  async #get(
    type: (typeof resourceTypes)['secrets' | 'serviceAccounts'],
    ref: { readonly namespace: string; readonly name: string },
    signal: AbortSignal,
  ): Promise<KubeObject | string> {
    try {
      return await this.#client.get(type, ref, { signal });
    } catch (error) {
      if (isAppError(error) && isFinal(error))
        return `${type.kind} ${ref.namespace}/${ref.name}: ${error.message}`;
      throw error;
    }
  }
}

function isFinal(error: AppError): boolean {
  return (
    error.code === 'ERR_KUBE_NOT_FOUND' ||
    error.code === 'ERR_KUBE_FORBIDDEN' ||
    error.code === 'ERR_KUBE_INVALID'
  );
}

function secretNamesOf(account: KubeObject): string[] {
  const references = [account['imagePullSecrets'], account['secrets']].flatMap((list) =>
    Array.isArray(list) ? (list as unknown[]) : [],
  );
  const names = references.flatMap((reference) =>
    isRecord(reference) && typeof reference['name'] === 'string' ? [reference['name']] : [],
  );
  return [...new Set(names)];
}

async function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => {
    aborted.reject(
      new AppError('ERR_ABORTED', 'the reading of pull secrets was cancelled', { kind: 'passing' }),
    );
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
