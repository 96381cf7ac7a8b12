import type { KubeObject } from '../../kube/kube-object.ts';
import { identityOf } from '../../kube/object-trim.ts';
import { isDigest } from '../../model/digest.ts';
import { isAppError } from '../../model/errors.ts';
import { formatRepository, parseImageReference } from '../../model/image-reference.ts';
import type { ImageReference } from '../../model/image-reference.ts';
import { objectIn } from '../../model/json-object.ts';
import type { JsonObject } from '../../model/json-object.ts';
import { listWorkloadImages, pullAccountOf } from '../../policy/workload-images.ts';
import type { PullAccount } from '../../policy/workload-images.ts';

/** An image that a Pod runs. */
export interface RunningImage {
  /** What is judged: by digest wherever that is known. */
  readonly image: string;
  /** Paths of the fields where it stands. */
  readonly paths: readonly string[];
  /** Who says which digest it is; `nobody`: the Pod names a tag and the kubelet tells no digest. */
  readonly digestFrom: 'spec' | 'status' | 'nobody';
}

/** What is kept in memory of a Pod. */
export interface RunningPod extends KubeObject {
  /** It is one too many: nobody knows its images, and it is not judged. */
  readonly isSkipped?: true;
  readonly images: readonly RunningImage[];
  readonly account: PullAccount;
  /** The object that controls it, as far as it is a workload. */
  readonly controller?: PodController;
}

/** The workload that made a Pod. */
export interface PodController {
  readonly kind: ControllerKind;
  readonly name: string;
  /** The object that the Pod itself names: a ReplicaSet where `kind` is Deployment. */
  readonly direct: SubjectIdentity;
}

/** Kinds of workloads that make Pods. */
export type ControllerKind =
  'Deployment' | 'ReplicaSet' | 'StatefulSet' | 'DaemonSet' | 'Job' | 'ReplicationController';

/** Which object a report is about. */
export interface SubjectIdentity {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

const controllers: ReadonlySet<string> = new Set([
  'apps/ReplicaSet',
  'apps/StatefulSet',
  'apps/DaemonSet',
  'batch/Job',
  '/ReplicationController',
]);

/** What is kept of a Pod; `keepsImages` false: no more than that it is there. */
export function toRunningPod(
  pod: KubeObject,
  { keepsImages }: { readonly keepsImages: boolean },
): RunningPod {
  const { apiVersion, kind, metadata } = pod;
  const controller = controllerOf(pod);
  const labels = metadata.labels === undefined ? {} : { labels: metadata.labels };
  const base = { apiVersion, kind, metadata: { ...identityOf(metadata), ...labels } };
  return {
    ...base,
    ...(keepsImages ? { images: runningImages(pod) } : { images: [], isSkipped: true }),
    account: pullAccountOf(pod),
    ...(controller === undefined ? {} : { controller }),
  };
}

/** Each image that a Pod runs, once. */
function runningImages(pod: KubeObject): readonly RunningImage[] {
  const imageIds = imageIdsOf(pod);
  const places = listWorkloadImages(pod).map(({ image, path }) => ({
    path,
    ...resolved(image, imageIds.get(path)),
  }));
  const byImage = Map.groupBy(places, ({ image }) => image);
  return [...byImage].map(([image, [first, ...rest]]) => ({
    image,
    paths: [first, ...rest].flatMap((place) => (place === undefined ? [] : [place.path])),
    digestFrom: first?.digestFrom ?? 'nobody',
  }));
}

/**
 * What a container really runs. A digest in the spec is what the kubelet had to pull, so it counts. A tag may have moved
 * since: what it meant then is in the status. The repository is always the spec's, since a runtime that holds the same
 * content by several names tells any one of them.
 */
function resolved(image: string, imageId: string | undefined): Pick<RunningImage, 'image' | 'digestFrom'> {
  const reference = readReference(image);
  if (reference?.digest !== undefined) return { image, digestFrom: 'spec' };
  const digest = imageId?.slice(imageId.lastIndexOf('@') + 1);
  // A bare sha256:... is the digest of an image's configuration: nothing is signed by that.
  if (reference === undefined || imageId?.includes('@') !== true || !isDigest(digest)) {
    return { image, digestFrom: 'nobody' };
  }
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return { image: `${formatRepository(reference.repository)}${tag}@${digest}`, digestFrom: 'status' };
}

/** What the kubelet says that containers run, by the path of their image field. */
function imageIdsOf(pod: KubeObject): ReadonlyMap<string, string> {
  const [spec, status] = [objectIn(pod['spec']), objectIn(pod['status'])];
  const kinds = [
    ['initContainers', 'initContainerStatuses'],
    ['containers', 'containerStatuses'],
    ['ephemeralContainers', 'ephemeralContainerStatuses'],
  ] as const;
  return new Map(
    kinds.flatMap(([list, statuses]) => {
      const ids = new Map(listOf(status[statuses]).map(({ name, imageID }) => [name, imageID]));
      return listOf(spec[list]).flatMap(({ name }, index): (readonly [string, string])[] => {
        const id = ids.get(name);
        return typeof id === 'string' ? [[`spec.${list}[${index}].image`, id]] : [];
      });
    }),
  );
}

function controllerOf({ metadata }: KubeObject): PodController | undefined {
  const direct = directControllerOf(metadata['ownerReferences']);
  if (direct === undefined) return undefined;
  const { kind, name } = direct;
  // A Deployment names its ReplicaSets NAME-HASH, and labels the Pods with the hash.
  const hash = metadata.labels?.['pod-template-hash'] ?? '';
  const stem = `-${hash}`;
  return kind === 'ReplicaSet' && hash !== '' && name.length > stem.length && name.endsWith(stem)
    ? { kind: 'Deployment', name: name.slice(0, -stem.length), direct }
    : { kind: kind as ControllerKind, name, direct };
}

function directControllerOf(owners: unknown): SubjectIdentity | undefined {
  const owner = listOf(owners).find(({ controller }) => controller === true);
  const { apiVersion, kind, name, uid } = owner ?? {};
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
  if (typeof name !== 'string' || typeof uid !== 'string') return undefined;
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  return controllers.has(`${group}/${kind}`) ? { apiVersion, kind, name, uid } : undefined;
}

function readReference(image: string): ImageReference | undefined {
  try {
    return parseImageReference(image);
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}

function listOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.map(objectIn) : [];
}
