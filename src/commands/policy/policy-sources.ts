import { parseClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { ClusterPoliciesOptions } from '../wiring/cluster-references.ts';
import { referencesOf } from './file-references.ts';
import type { JudgingOptions } from './judging-session.ts';
import { noMatchPolicyIn } from './policy-files.ts';
import type { PolicyFiles } from './policy-files.ts';

/** What images are judged by. */
export type PolicySource = Pick<
  JudgingOptions,
  'policies' | 'broken' | 'references' | 'noMatch' | 'exceptions'
>;

/** The policies in files, and what they refer to. Throws ERR_POLICY_INVALID. */
export function askFiles(files: PolicyFiles, namespace: string): PolicySource {
  return {
    policies: files.policies.map(({ value }) => parseClusterImagePolicy(value, namespace)),
    references: referencesOf(files),
    noMatch: noMatchPolicyIn(files),
  };
}

/** The policies of a cluster, and what they refer to. Throws ERR_POLICY_CRD, ERR_KUBE_*. */
export async function askCluster(options: ClusterPoliciesOptions): Promise<PolicySource> {
  // Only who asks a cluster has to carry its client.
  const { readClusterPolicies } = await import('../wiring/cluster-references.ts');
  return readClusterPolicies(options);
}
