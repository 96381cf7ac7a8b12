import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { StoreChange } from '../kube/object-store.ts';
import { trimMetadata } from '../kube/object-trim.ts';
import { sourceOf } from './cluster-image-policy-compilation.ts';

/** What is kept in memory of a ClusterImagePolicy or TrustRoot: all but what others noted in its metadata and status. */
export function toWatchedPolicy(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata } = trimMetadata(object);
  const status = isRecord(object['status']) ? object['status'] : {};
  const { observedGeneration, conditions } = status;
  return { apiVersion, kind, metadata, spec: object['spec'], status: { observedGeneration, conditions } };
}

/** True if a change asks for work. Another status does not, since that is what we and our replicas write. */
export function asksForWork(change: StoreChange<KubeObject>): boolean {
  if (change.kind !== 'updated') return true;
  const { object, previous } = change;
  return sourceOf(object) !== sourceOf(previous) || holdOf(object) !== holdOf(previous);
}

function holdOf({ metadata: { deletionTimestamp, finalizers = [] } }: KubeObject): string {
  return deletionTimestamp === undefined ? '' : finalizers.join(' ');
}
