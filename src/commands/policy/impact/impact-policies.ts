import { isAppError } from '../../../model/errors.ts';
import { objectIn } from '../../../model/json-object.ts';
import type { KubeClient } from '../../../kube/kube-client.ts';
import type { KubeObject } from '../../../kube/kube-object.ts';
import { resourceTypes } from '../../../kube/resource-type.ts';
import type { ClusterImagePolicy } from '../../../policy/cluster-image-policy.ts';
import type { CompiledClusterPolicy } from '../../../policy/compiled-policy.ts';
import { policyRulesName } from '../../../policy/referenced-data.ts';
import type { PoliciesInForce } from '../../../policy/policy-register.ts';
import { readPolicies } from '../../wiring/cluster-references.ts';
import type { ClusterPolicies } from '../../wiring/cluster-references.ts';
import { referencesOf } from '../file-references.ts';
import { noMatchPolicyIn } from '../policy-files.ts';
import type { FileObject, PolicyFiles } from '../policy-files.ts';
import type { ReferencesOptions } from '../open-references.ts';
import type { PolicyCompiling } from '../policy-compiling.ts';
import { parseClusterImagePolicy } from '../../../policy/cluster-image-policy.ts';
import { compareWithCluster } from './cluster-version.ts';
import type { AskedPolicy } from './impact-report.ts';

/** What is to be judged by, before it is compiled. */
export interface ImpactPolicies {
  /** Of the files, as they are written there. */
  readonly given: readonly ClusterImagePolicy[];
  readonly cluster: ClusterPolicies;
  readonly references: ReferencesOptions['references'];
  readonly asked: readonly AskedPolicy[];
}

/** Policies in force before and after. */
export interface ComparedPolicies {
  readonly today: PoliciesInForce;
  readonly then: PoliciesInForce;
}

type PolicyClient = Pick<KubeClient, 'list' | 'get'>;

const noPolicies: ClusterPolicies = {
  policies: [],
  broken: [],
  exceptions: [],
  references: {
    findNamedTrustRoot: () => undefined,
    findSecret: () => Promise.reject(new Error('not asked')),
    findConfigMapEntry: () => Promise.reject(new Error('not asked')),
  },
  noMatch: 'deny',
};

/**
 * Reads the policies of files and of the cluster, which may not know the kinds yet. What the files' policies refer to is
 * taken from the files, and where it is not there from the cluster. Throws ERR_POLICY_INVALID, ERR_KUBE_*.
 */
export async function readImpactPolicies(
  files: PolicyFiles,
  client: PolicyClient,
  options: { readonly namespace: string; readonly signal: AbortSignal },
): Promise<ImpactPolicies> {
  const given = files.policies.map(({ value }) => parseClusterImagePolicy(value, options.namespace));
  const [cluster, objects] = await Promise.all([
    readPolicies(client, options).catch(orNone),
    policyObjects(client, options.signal),
  ]);
  const asked = given.map((policy): AskedPolicy => {
    const { name, mode, evaluation, images } = policy;
    const object = objects.get(name);
    const inCluster = object && compareWithCluster(policy, object, options.namespace);
    return { name, mode, evaluation, images, ...(inCluster === undefined ? {} : { inCluster }) };
  });
  return { given, cluster, references: mergeReferences(files, cluster), asked };
}

/**
 * Compiles what counts today and what would: the given policies enforce, and stand in for those of the same name; with
 * `onlyGiven` they stand in for all.
 */
export async function comparePolicies(
  { given, cluster }: ImpactPolicies,
  files: PolicyFiles,
  { compile, onlyGiven }: { readonly compile: PolicyCompiling['compile']; readonly onlyGiven: boolean },
): Promise<ComparedPolicies> {
  const compiled = await Promise.all(cluster.policies.map((policy) => compile(policy)));
  const enforced = await Promise.all(given.map((policy) => compile({ ...policy, mode: 'enforce' })));
  const here = [...compiled, ...cluster.broken];
  const names = new Set(given.map(({ name }) => name));
  const kept = onlyGiven ? [] : here.filter(({ name }) => !names.has(name));
  const hasRules = files.configMaps.some((object) => nameIn(object) === policyRulesName);
  const rules = { noMatch: hasRules ? noMatchPolicyIn(files) : cluster.noMatch };
  return {
    today: { policies: registered(here, 'cluster'), rules: { noMatch: cluster.noMatch } },
    then: { policies: [...registered(kept, 'cluster'), ...registered(enforced, 'given')], rules },
  };
}

function registered(
  policies: readonly CompiledClusterPolicy[],
  version: string,
): PoliciesInForce['policies'] {
  return policies.map((compiled) => ({ compiled, version }));
}

function mergeReferences(files: PolicyFiles, cluster: ClusterPolicies): ReferencesOptions['references'] {
  const own = referencesOf(files);
  const other = cluster.references;
  const holds = (objects: readonly FileObject[], name: string): boolean =>
    objects.some((object) => nameIn(object) === name);
  return {
    findNamedTrustRoot: (name) => own.findNamedTrustRoot(name) ?? other.findNamedTrustRoot(name),
    findSecret: (name) => (holds(files.secrets, name) ? own : other).findSecret(name),
    findConfigMapEntry: (name, key) =>
      (holds(files.configMaps, name) ? own : other).findConfigMapEntry(name, key),
  };
}

async function policyObjects(
  client: PolicyClient,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, KubeObject>> {
  try {
    const { items } = await client.list(resourceTypes.clusterImagePolicies, { signal });
    return new Map(items.map((object) => [object.metadata.name, object]));
  } catch (error) {
    if (isAppError(error) && error.code === 'ERR_KUBE_NOT_FOUND') return new Map();
    throw error;
  }
}

function orNone(error: unknown): ClusterPolicies {
  if (isAppError(error) && error.code === 'ERR_POLICY_CRD') return noPolicies;
  throw error;
}

function nameIn({ value }: FileObject): unknown {
  return objectIn(value['metadata'])['name'];
}
