import { findObject } from '../../kube/find-object.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import type { ResourceType } from '../../kube/resource-type.ts';
import type { ControllerKind, RunningPod, SubjectIdentity } from './running-pod.ts';
import type { ScanSubject } from './workload-index.ts';

/** The object that a report is about. */
export interface FoundSubject {
  readonly identity: SubjectIdentity;
  /** As it is now, if it is a workload that can be read. */
  readonly object?: KubeObject;
}

const types: Readonly<Record<ControllerKind, ResourceType>> = {
  Deployment: resourceTypes.deployments,
  ReplicaSet: resourceTypes.replicaSets,
  StatefulSet: resourceTypes.statefulSets,
  DaemonSet: resourceTypes.daemonSets,
  Job: resourceTypes.jobs,
  ReplicationController: resourceTypes.replicationControllers,
};

/**
 * The workload of Pods, read anew. Where there is none of that name, such as for a ReplicaSet that no Deployment made, it
 * is the object that the Pods themselves name. Throws ERR_KUBE_*.
 */
export async function findSubject(
  client: Pick<KubeClient, 'get'>,
  { namespace, name, pod }: ScanSubject,
  signal: AbortSignal,
): Promise<FoundSubject> {
  if (pod.controller === undefined) return { identity: identityOf(pod) };
  const { kind, direct } = pod.controller;
  const object = await findObject(client, types[kind], { namespace, name }, { signal });
  return object === undefined ? { identity: direct } : { identity: identityOf(object), object };
}

/** The Pod as it is now, for policies that look at more than its images. Throws ERR_KUBE_*. */
export async function findPod(
  client: Pick<KubeClient, 'get'>,
  pod: RunningPod,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  const { name, namespace = '' } = pod.metadata;
  return findObject(client, resourceTypes.pods, { namespace, name }, { signal });
}

function identityOf({ apiVersion, kind, metadata }: KubeObject): SubjectIdentity {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '' };
}
