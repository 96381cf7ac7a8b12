import { resourceTypes } from '../../../kube/resource-type.ts';
import type { ResourceType } from '../../../kube/resource-type.ts';
import type { KubeClient, ListOptions } from '../../../kube/kube-client.ts';
import type { KubeObject } from '../../../kube/kube-object.ts';
import { enforcedSelectors, isSelected } from '../../../reconcilers/scan/enforced-namespaces.ts';
import { toRunningPod } from '../../../reconcilers/scan/running-pod.ts';
import type { RunningPod } from '../../../reconcilers/scan/running-pod.ts';
import { WorkloadIndex } from '../../../reconcilers/scan/workload-index.ts';

/** Which namespaces are looked at. */
export type NamespaceChoice =
  | { readonly kind: 'enforced'; readonly webhookName: string }
  | { readonly kind: 'all' }
  | { readonly kind: 'named'; readonly names: readonly string[] };

/** A workload with the Pods that run for it, or a Pod of its own. */
export interface RunningWorkload {
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  /** Empty for one whose Pods would only be made: scaled to nothing, or waiting for its hour. */
  readonly pods: readonly RunningPod[];
  /** The workload itself; absent for Pods that nothing made, or whose maker is gone. */
  readonly object?: KubeObject;
}

/** What runs in the chosen namespaces. */
export interface RunningWorkloads {
  readonly namespaces: readonly string[];
  readonly workloads: readonly RunningWorkload[];
}

type ListingClient = Pick<KubeClient, 'list' | 'listPages'>;

const makers: readonly ResourceType[] = [
  resourceTypes.deployments,
  resourceTypes.statefulSets,
  resourceTypes.daemonSets,
  resourceTypes.jobs,
  resourceTypes.cronJobs,
  resourceTypes.replicaSets,
  resourceTypes.replicationControllers,
];
const unfinished = 'status.phase!=Succeeded,status.phase!=Failed';

/** Lists the Pods that have not ended and what makes Pods, by workload. Throws ERR_KUBE_*. */
export async function listWorkloads(
  client: ListingClient,
  choice: NamespaceChoice,
  signal: AbortSignal,
): Promise<RunningWorkloads> {
  const namespaces = await listNamespaces(client, choice, signal);
  const wanted = new Set(namespaces);
  // Who may look into some namespaces only must not list all.
  const places = choice.kind === 'named' ? namespaces : [undefined];
  const listed = async function* (type: ResourceType, fieldSelector?: string): ReturnType<typeof objectsOf> {
    for (const namespace of places) yield* objectsOf(client, type, { namespace, fieldSelector, signal });
  };
  const index = new WorkloadIndex();
  for await (const pod of listed(resourceTypes.pods, unfinished)) {
    if (wanted.has(pod.metadata.namespace ?? '')) index.put(toRunningPod(pod, { keepsImages: true }));
  }
  const objects = new Map<string, KubeObject>();
  for (const type of makers) {
    for await (const object of listed(type)) {
      if (wanted.has(object.metadata.namespace ?? '')) objects.set(keyOf(object), object);
    }
  }
  return { namespaces, workloads: combine(index, objects) };
}

async function listNamespaces(
  client: ListingClient,
  choice: NamespaceChoice,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (choice.kind === 'named') return [...new Set(choice.names)];
  const { items } = await client.list(resourceTypes.namespaces, { signal });
  if (choice.kind === 'all') return items.map(({ metadata }) => metadata.name);
  const fieldSelector = `metadata.name=${choice.webhookName}`;
  const configurations = await client.list(resourceTypes.validatingWebhooks, { fieldSelector, signal });
  const selectors = enforcedSelectors(configurations.items[0]);
  return items
    .filter(({ metadata }) => isSelected(selectors, metadata.labels))
    .map(({ metadata }) => metadata.name);
}

async function* objectsOf(
  client: ListingClient,
  type: ResourceType,
  options: ListOptions,
): AsyncGenerator<KubeObject, void, undefined> {
  for await (const { items } of client.listPages(type, options)) yield* items;
}

function combine(index: WorkloadIndex, objects: ReadonlyMap<string, KubeObject>): readonly RunningWorkload[] {
  const withPods = [...index.subjects()].map(({ key, namespace, kind, name }) => {
    const object = objects.get(key);
    return { namespace, kind, name, pods: index.podsOf(key), ...(object === undefined ? {} : { object }) };
  });
  const waiting = [...objects.values()].filter(
    (object) => isOnItsOwn(object) && index.find(keyOf(object)) === undefined,
  );
  const withoutPods = waiting.map((object) => {
    const { namespace = '', name } = object.metadata;
    return { namespace, kind: object.kind, name, pods: [], object };
  });
  return [...withPods, ...withoutPods].sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
}

/** What another workload made is judged with it; old ReplicaSets and ended Jobs make no Pods any more. */
function isOnItsOwn({ kind, metadata, spec, status }: KubeObject): boolean {
  const owners = metadata['ownerReferences'];
  if (Array.isArray(owners) && owners.length > 0) return false;
  const isEnded = kind === 'Job' && hasEnded(status);
  const isEmptySet = kind === 'ReplicaSet' && (spec as { replicas?: unknown } | undefined)?.replicas === 0;
  return !isEnded && !isEmptySet;
}

function hasEnded(status: unknown): boolean {
  const { completionTime, conditions } = (status ?? {}) as {
    completionTime?: unknown;
    conditions?: unknown;
  };
  const list = Array.isArray(conditions) ? (conditions as { type?: unknown; status?: unknown }[]) : [];
  return completionTime !== undefined || list.some((one) => one.type === 'Failed' && one.status === 'True');
}

function keyOf({ kind, metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${kind}/${metadata.name}`;
}

function orderOf({ namespace, kind, name }: RunningWorkload): string {
  return `${namespace}\n${kind}\n${name}`;
}
