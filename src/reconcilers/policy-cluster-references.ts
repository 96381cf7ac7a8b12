import type { AppError } from '../model/errors.ts';
import type { RemotePolicy } from '../policy/policy-references.ts';
import { entryOfConfigMap, entryOfSecret } from '../policy/referenced-data.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import type { ReferenceSource } from './cluster-image-policy-reconciler.ts';
import type { ExternalValues } from './policy-external-values.ts';
import type { ReferencedObjects } from './policy-referenced-objects.ts';
import type { TrustRootKeeper } from './trust-root-keeper.ts';

interface AskOptions {
  readonly signal: AbortSignal;
}

/** Gives the default trust root from outside the cluster's objects; undefined if there is none. */
export type OpenDefaultTrustRoot = (options: AskOptions) => Promise<TrustRoot | undefined>;

/** Where what policies refer to comes from. */
export interface ClusterReferencesParts {
  readonly secrets: Pick<ReferencedObjects, 'find'>;
  readonly configMaps: Pick<ReferencedObjects, 'find'>;
  readonly trustRoots: Pick<TrustRootKeeper, 'find'>;
  /** Name of the TrustRoot object that is the default, or how to get the default from elsewhere. */
  readonly defaultTrustRoot: string | OpenDefaultTrustRoot;
  readonly fetchRemotePolicy: (remote: RemotePolicy, options: AskOptions) => Promise<string>;
  readonly findKmsKey: (uri: string, options: AskOptions) => Promise<string>;
  /** Remote texts and keys of a KMS, as they were read last. */
  readonly texts: ExternalValues<string>;
  /** The default trust root, as it was read last; an empty list if there is none. */
  readonly defaultRoots: ExternalValues<readonly TrustRoot[]>;
}

const defaultKey = 'the default trust root';

/** What policies refer to: Secrets, ConfigMaps and TrustRoots of the cluster, and texts and keys that lie elsewhere. */
export function openClusterReferences(parts: ClusterReferencesParts): ReferenceSource {
  const { secrets, configMaps, fetchRemotePolicy, findKmsKey, texts, defaultRoots } = parts;
  return {
    open: (signal) => ({
      findSecret: async (name) => entryOfSecret(name, await secrets.find(name, { signal })),
      findConfigMapEntry: async (name, key) =>
        entryOfConfigMap(name, key, await configMaps.find(name, { signal })),
      findTrustRoot: async (name) => findTrustRoot(parts, name, signal),
      fetchRemotePolicy: (remote) =>
        texts.get(keyOfRemote(remote), (options) => fetchRemotePolicy(remote, options), signal),
      findKmsKey: (uri) => texts.get(uri, (options) => findKmsKey(uri, options), signal),
    }),
    faultOf: (input): AppError | undefined => {
      if (input.kind === 'remote') return texts.faultOf(keyOfRemote(input));
      if (input.kind === 'kms') return texts.faultOf(input.uri);
      return input.kind === 'trust-root' && input.name === undefined
        ? defaultRoots.faultOf(defaultKey)
        : undefined;
    },
  };
}

async function findTrustRoot(
  { trustRoots, defaultTrustRoot, defaultRoots }: ClusterReferencesParts,
  name: string | undefined,
  signal: AbortSignal,
): Promise<TrustRoot | undefined> {
  if (name !== undefined) return trustRoots.find(name);
  if (typeof defaultTrustRoot === 'string') return trustRoots.find(defaultTrustRoot);
  const open = async (options: AskOptions): Promise<readonly TrustRoot[]> => {
    const root = await defaultTrustRoot(options);
    return root === undefined ? [] : [root];
  };
  const [root] = await defaultRoots.get(defaultKey, open, signal);
  return root;
}

function keyOfRemote({ url, sha256sum }: RemotePolicy): string {
  return `${url} ${sha256sum}`;
}
