import { isDeepStrictEqual } from 'node:util';
import { isRecord } from '../../../kube/kube-object.ts';
import type { KubeObject } from '../../../kube/kube-object.ts';
import { objectIn } from '../../../model/json-object.ts';
import { readClusterImagePolicy, ruleAnnotations } from '../../../policy/cluster-image-policy.ts';
import type { ClusterImagePolicy } from '../../../policy/cluster-image-policy.ts';

/** What the cluster has under the name of a policy. */
export interface ClusterVersion {
  readonly mode: ClusterImagePolicy['mode'];
  /** Whether it is the given policy but for its mode. */
  readonly isSame: boolean;
  /** When its rules were changed last, RFC 3339; absent where the API server does not tell. */
  readonly since?: string;
}

/** Compares a policy with the cluster's object of its name. `namespace` is the one that the policy was read for. */
export function compareWithCluster(
  given: ClusterImagePolicy,
  object: KubeObject,
  namespace: string,
): ClusterVersion {
  const since = rulesChangedAt(object);
  return {
    mode: objectIn(object['spec'])['mode'] === 'warn' ? 'warn' : 'enforce',
    isSame: hasSameRules(given, readClusterImagePolicy(object, namespace).policy),
    ...(since === undefined ? {} : { since }),
  };
}

function hasSameRules(given: ClusterImagePolicy, there: ClusterImagePolicy | undefined): boolean {
  return there !== undefined && isDeepStrictEqual({ ...given, mode: there.mode }, there);
}

/**
 * The latest of creation and of what `managedFields` tells of spec and annotations. Of an object that was edited, the
 * status counts too, which follows each generation: who takes a field away is not noted beside the spec.
 */
function rulesChangedAt({ metadata }: KubeObject): string | undefined {
  const { creationTimestamp: created, generation, managedFields } = metadata;
  const isFirst = generation === 1;
  const entries = Array.isArray(managedFields) ? managedFields.filter(isRecord) : [];
  const telling = entries.filter(
    (entry) => ownsRules(entry) || (!isFirst && entry['subresource'] === 'status'),
  );
  if (!isFirst && !telling.some(ownsRules)) return undefined;
  const times = [created, ...telling.map(({ time }) => time)].map((time) => Date.parse(String(time)));
  // A time that cannot be read makes the latest unknown.
  const latestMs = Math.max(...times);
  return Number.isNaN(latestMs) ? undefined : new Date(latestMs).toISOString();
}

/** True if an entry of `managedFields` is about the spec, or the annotations that judging goes by. */
function ownsRules({ fieldsV1 }: Readonly<Record<string, unknown>>): boolean {
  const fields = objectIn(fieldsV1);
  const annotations = objectIn(objectIn(fields['f:metadata'])['f:annotations']);
  return (
    Object.hasOwn(fields, 'f:spec') || ruleAnnotations.some((name) => Object.hasOwn(annotations, `f:${name}`))
  );
}
