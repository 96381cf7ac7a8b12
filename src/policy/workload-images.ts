import { objectIn } from '../model/json-object.ts';
import type { JsonObject } from '../model/json-object.ts';
import type { WorkloadKind } from './policy-matching.ts';

/** An image in a workload. */
export interface WorkloadImage {
  /** As it stands there. */
  readonly image: string;
  /** Path of the field, e.g. `spec.template.spec.initContainers[0].image`. */
  readonly path: string;
  /** JSON pointer (RFC 6901) of the text itself. */
  readonly pointer: string;
}

/** As whom a workload pulls its images. */
export interface PullAccount {
  /** Empty for the namespace's default. */
  readonly serviceAccount: string;
  /** Names under `imagePullSecrets`. */
  readonly pullSecrets: readonly string[];
}

/** Path of the Pod's spec in each kind. */
const podSpecs: ReadonlyMap<string, string> = new Map([
  ['Pod', 'spec'],
  ['CronJob', 'spec.jobTemplate.spec.template.spec'],
  ...['ReplicaSet', 'Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'ReplicationController'].map(
    (kind) => [kind, 'spec.template.spec'] as const,
  ),
]);

/** True for the kinds that run images. */
export function isWorkload(kind: string): boolean {
  return podSpecs.has(kind);
}

/** How policies see an object of the API: its resource is guessed from its kind, as the reference does. */
export function workloadKindOf(object: JsonObject): WorkloadKind {
  const apiVersion = textOf(object['apiVersion']);
  const slash = apiVersion.indexOf('/');
  const { labels } = objectIn(object['metadata']);
  const texts = Object.entries(objectIn(labels)).filter((pair): pair is [string, string] => {
    return typeof pair[1] === 'string';
  });
  return {
    group: slash === -1 ? '' : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    resource: `${textOf(object['kind']).toLowerCase()}s`,
    labels: Object.fromEntries(texts),
  };
}

/** Every image that a workload would run: containers of all three kinds, and image volumes. */
export function listWorkloadImages(object: JsonObject): readonly WorkloadImage[] {
  const path = podSpecs.get(textOf(object['kind']));
  if (path === undefined) return [];
  const spec = podSpecOf(object);
  const pointer = `/${path.replaceAll('.', '/')}`;
  const containers = (['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap((list) =>
    listOf(spec[list]).map((one, index) => ({
      image: textOf(one['image']),
      path: `${path}.${list}[${index}].image`,
      pointer: `${pointer}/${list}/${index}/image`,
    })),
  );
  const volumes = listOf(spec['volumes']).map((volume, index) => ({
    image: textOf(objectIn(volume['image'])['reference']),
    path: `${path}.volumes[${index}].image`,
    pointer: `${pointer}/volumes/${index}/image/reference`,
  }));
  return [...containers, ...volumes.filter(({ image }) => image !== '')];
}

/** As whom the Pods of a workload pull their images. */
export function pullAccountOf(object: JsonObject): PullAccount {
  const spec = podSpecOf(object);
  const names = listOf(spec['imagePullSecrets']).map(({ name }) => textOf(name));
  return {
    serviceAccount: textOf(spec['serviceAccountName']),
    pullSecrets: names.filter((name) => name !== ''),
  };
}

function podSpecOf(object: JsonObject): JsonObject {
  const path = podSpecs.get(textOf(object['kind'])) ?? '';
  return path.split('.').reduce<JsonObject>((at, name) => objectIn(at[name]), object);
}

function listOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.map(objectIn) : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
