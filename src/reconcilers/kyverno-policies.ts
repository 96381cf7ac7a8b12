import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { fieldManagers } from '../kube/field-managers.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { ResourceType } from '../kube/resource-type.ts';
import { isAppError } from '../model/errors.ts';
import { exportedFrom, exportedLabels } from '../policy/kyverno/image-validating-policy.ts';
import type { ImageValidatingPolicy, KyvernoVersion } from '../policy/kyverno/kyverno-types.ts';

/** The policies of Kyverno in a cluster, as far as they are ours. */
export interface KeptPolicies {
  readonly version: KyvernoVersion;
  /** By name. */
  readonly ours: ReadonlyMap<string, KubeObject>;
}

/** The ClusterImagePolicy that a policy of Kyverno goes with. */
export interface PolicyOwner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

interface Abort {
  readonly signal: AbortSignal;
}

/** What is written for what was kept: nothing, if it says so already. */
export type Written = 'written' | 'unchanged' | 'taken';

const exportedVersion = 'policy.chainwright.dev/exported-version';
const versions = ['v1', 'v1beta1'] as const;
const labelSelector = Object.entries(exportedLabels)
  .map((pair) => pair.join('='))
  .join(',');

/** Reads and writes ImageValidatingPolicies that we made; never one that somebody else did. */
export class KyvernoPolicies {
  readonly #client: Pick<KubeClient, 'list' | 'get' | 'apply' | 'delete'>;
  /** Generations after our last write: another one is somebody else's. */
  readonly #generations = new Map<string, unknown>();

  constructor(client: Pick<KubeClient, 'list' | 'get' | 'apply' | 'delete'>) {
    this.#client = client;
  }

  /** What is there; undefined if the cluster does not know the kind. Throws ERR_KUBE_*. */
  async list({ signal }: Abort): Promise<KeptPolicies | undefined> {
    for (const version of versions) {
      try {
        const { items } = await this.#client.list(typeOf(version), { labelSelector, signal });
        return { version, ours: new Map(items.filter(isOurs).map((one) => [one.metadata.name, one])) };
      } catch (error) {
        if (!hasCode(error, 'ERR_KUBE_NOT_FOUND')) throw error;
      }
    }
    this.#generations.clear();
    return undefined;
  }

  /** Has the cluster hold a policy as given; `taken` if there is one of that name that is not ours. Throws ERR_KUBE_*. */
  async put(
    policy: ImageValidatingPolicy,
    owner: PolicyOwner | undefined,
    { version, ours }: KeptPolicies,
    { signal }: Abort,
  ): Promise<Written> {
    const { name } = policy.metadata;
    const draft = draftOf(policy, owner);
    const known = ours.get(name);
    if (known !== undefined && this.#isSame(known, draft)) return 'unchanged';
    const type = typeOf(version);
    if (known === undefined && (await this.#isThere(type, name, signal))) return 'taken';
    const metadata = { ...draft.metadata, ...(known === undefined ? {} : { uid: known.metadata.uid }) };
    // A policy that somebody made at this moment must not become ours: force is for those that are.
    const options = { fieldManager: fieldManagers.kyverno, force: known !== undefined, signal };
    try {
      const written = await this.#client.apply(type, { ...draft, metadata }, options);
      this.#generations.set(name, written.metadata['generation']);
      return 'written';
    } catch (error) {
      if (known === undefined && hasCode(error, 'ERR_KUBE_CONFLICT')) return 'taken';
      throw error;
    }
  }

  /** True if a policy as listed is what we wrote last: no other replica nor anybody else wrote it since. */
  isAsWritten({ metadata }: KubeObject): boolean {
    const generation = this.#generations.get(metadata.name);
    return generation !== undefined && generation === metadata['generation'];
  }

  /** Deletes one of ours; harmless if it is gone or somebody made another of that name. Throws ERR_KUBE_*. */
  async remove({ metadata }: KubeObject, version: KyvernoVersion, { signal }: Abort): Promise<void> {
    const { name, uid } = metadata;
    this.#generations.delete(name);
    try {
      await this.#client.delete(typeOf(version), { name }, { uid, signal });
    } catch (error) {
      if (!hasCode(error, 'ERR_KUBE_NOT_FOUND') && !hasCode(error, 'ERR_KUBE_CONFLICT')) throw error;
    }
  }

  #isSame(known: KubeObject, draft: ReturnType<typeof draftOf>): boolean {
    const version = known.metadata.annotations?.[exportedVersion];
    return version === draft.metadata.annotations[exportedVersion] && this.isAsWritten(known);
  }

  async #isThere(type: ResourceType, name: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#client.get(type, { name }, { view: 'metadata', signal });
      return true;
    } catch (error) {
      if (hasCode(error, 'ERR_KUBE_NOT_FOUND')) return false;
      throw error;
    }
  }
}

function typeOf(version: KyvernoVersion): ResourceType {
  return { ...resourceTypes.imageValidatingPolicies, version };
}

/** The label alone may be anybody's. */
function isOurs({ metadata }: KubeObject): boolean {
  return isRecord(metadata.annotations) && typeof metadata.annotations[exportedFrom] === 'string';
}

function draftOf(policy: ImageValidatingPolicy, owner: PolicyOwner | undefined) {
  const { metadata } = policy;
  const ownerReferences = owner === undefined ? [] : [{ ...owner, controller: true }];
  const version = hash('sha256', canonicalize([policy, ownerReferences]) ?? '', 'hex');
  return {
    ...policy,
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, [exportedVersion]: version },
      ownerReferences,
    },
  };
}

function hasCode(error: unknown, code: string): boolean {
  return isAppError(error) && error.code === code;
}
