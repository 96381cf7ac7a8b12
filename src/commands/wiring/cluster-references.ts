import { findObject } from '../../kube/find-object.ts';
import { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import type { ResourceType } from '../../kube/resource-type.ts';
import { ZodError } from 'zod';
import { AppError, isAppError } from '../../model/errors.ts';
import { invalidObject, readClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { ClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { CompiledClusterPolicy } from '../../policy/compiled-policy.ts';
import type { NoMatchPolicy } from '../../policy/image-judge.ts';
import {
  entryOfConfigMap,
  entryOfSecret,
  noMatchPolicyOf,
  policyRulesName,
} from '../../policy/referenced-data.ts';
import { readPolicyException } from '../../policy/policy-exception.ts';
import type { PolicyException } from '../../policy/policy-exception.ts';
import { parseTrustRootObject } from '../../policy/trust-root-object.ts';
import { exceptionsSchema } from '../../settings/exceptions-schema.ts';
import { objectIn } from '../../model/json-object.ts';
import { brokenPolicyOf } from '../../reconcilers/cluster-image-policy-scope.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { JudgingOptions } from '../policy/judging-session.ts';
import { openCluster } from './cluster.ts';
import type { Environment } from './cluster.ts';

/** Where the policies are read. */
export interface ClusterPoliciesOptions {
  readonly environment: Environment;
  /** Where the Secrets and ConfigMaps of policies lie. */
  readonly namespace: string;
  readonly signal: AbortSignal;
  /** Takes what has to be closed at the end. */
  readonly closing: AsyncDisposableStack;
}

/** The policies of a cluster as the webhook there judges by them. */
export interface ClusterPolicies extends Pick<JudgingOptions, 'references'> {
  readonly policies: readonly ClusterImagePolicy[];
  /** What stands for policies that cannot be read: they deny what they are about. */
  readonly broken: readonly CompiledClusterPolicy[];
  readonly noMatch: NoMatchPolicy;
  /** Those that the cluster's settings allow. */
  readonly exceptions: readonly PolicyException[];
}

/**
 * As {@link readPolicies}, from the cluster that {@link openCluster} chooses. Throws ERR_POLICY_CRD, ERR_KUBE_*.
 */
export async function readClusterPolicies(options: ClusterPoliciesOptions): Promise<ClusterPolicies> {
  const { environment, namespace, signal, closing } = options;
  const access = await openCluster(environment, systemClock, { signal });
  const client = closing.use(new KubeClient({ access, clock: systemClock }));
  return readPolicies(client, { namespace, signal });
}

type PolicyClient = Pick<KubeClient, 'list' | 'get'>;

/**
 * Reads all ClusterImagePolicies and TrustRoots and the ConfigMap `config-policy-controller`; Secrets and other ConfigMaps
 * one by one, when a policy refers to them. Throws ERR_POLICY_CRD (the cluster does not know the kinds), ERR_KUBE_*.
 */
export async function readPolicies(
  client: PolicyClient,
  { namespace, signal }: Pick<ClusterPoliciesOptions, 'namespace' | 'signal'>,
): Promise<ClusterPolicies> {
  const find = (type: ResourceType, name: string): Promise<KubeObject | undefined> =>
    findObject(client, type, { namespace, name }, { signal });
  const [policies, trustRoots, rules, exceptions] = await Promise.all([
    listObjects(client, resourceTypes.clusterImagePolicies, signal),
    listObjects(client, resourceTypes.trustRoots, signal),
    find(resourceTypes.configMaps, policyRulesName),
    readExceptions(client, signal),
  ]);
  const readings = policies.map((object) => ({ object, ...readClusterImagePolicy(object, namespace) }));
  return {
    policies: readings.flatMap(({ policy }) => (policy === undefined ? [] : [policy])),
    broken: readings.flatMap(({ object, policy, faults }) =>
      policy === undefined
        ? [brokenPolicyOf(object, invalidObject('ClusterImagePolicy', object, faults))]
        : [],
    ),
    references: {
      findNamedTrustRoot: (name) => {
        const object = trustRoots.find(({ metadata }) => metadata.name === name);
        return object && parseTrustRootObject(object);
      },
      findSecret: async (name) => entryOfSecret(name, await find(resourceTypes.secrets, name)),
      findConfigMapEntry: async (name, key) =>
        entryOfConfigMap(name, key, await find(resourceTypes.configMaps, name)),
    },
    noMatch: noMatchPolicyOf(rules).noMatch,
    exceptions,
  };
}

/** The exceptions that the ChainwrightConfig allows; none where either cannot be read, which denies more and admits no more. */
async function readExceptions(
  client: PolicyClient,
  signal: AbortSignal,
): Promise<readonly PolicyException[]> {
  try {
    const config = await client.get(resourceTypes.chainwrightConfigs, { name: 'default' }, { signal });
    const rules = exceptionsSchema.prefault({}).parse(objectIn(config['spec'])['exceptions']);
    if (!rules.enabled) return [];
    const { items } = await client.list(resourceTypes.policyExceptions, { signal });
    const readings = items.map((item) => readPolicyException(item, rules, { now: systemClock.now() }));
    return readings.flatMap(({ exception }) => (exception === undefined ? [] : [exception]));
  } catch (error) {
    const isAbsent = isAppError(error) && ['ERR_KUBE_NOT_FOUND', 'ERR_KUBE_FORBIDDEN'].includes(error.code);
    if (isAbsent || error instanceof ZodError) return [];
    throw error;
  }
}

async function listObjects(
  client: PolicyClient,
  type: ResourceType,
  signal: AbortSignal,
): Promise<readonly KubeObject[]> {
  try {
    return (await client.list(type, { signal })).items;
  } catch (error) {
    if (!isAppError(error) || error.code !== 'ERR_KUBE_NOT_FOUND') throw error;
    throw new AppError('ERR_POLICY_CRD', `the cluster does not know ${type.plural}.${type.group}`, {
      kind: 'permanent',
      object: `${type.plural}.${type.group}`,
      remedy: 'Install the CRDs of policy.sigstore.dev, or give policies with --policy.',
      cause: error,
    });
  }
}
