type Json = Readonly<Record<string, unknown>>;

const podSpecs: Readonly<Record<string, readonly string[]>> = {
  Pod: ['spec'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
  Deployment: ['spec', 'template', 'spec'],
  ReplicaSet: ['spec', 'template', 'spec'],
  StatefulSet: ['spec', 'template', 'spec'],
  DaemonSet: ['spec', 'template', 'spec'],
  Job: ['spec', 'template', 'spec'],
  ReplicationController: ['spec', 'template', 'spec'],
};

/**
 * The images that an object brings if a review is allowed, read without the product's own code: those that it did not hold
 * before. `isKnown` is false for kinds whose images nobody knows, which must never be let in.
 */
export function imagesLetIn(review: unknown): {
  readonly images: readonly unknown[];
  readonly isKnown: boolean;
} {
  const { operation, subResource, kind, object, oldObject } = recordOf(recordOf(review)['request']);
  const isImageless =
    operation === 'DELETE' || operation === 'CONNECT' || ['status', 'scale'].includes(String(subResource));
  if (isImageless) return { images: [], isKnown: true };
  const name = String(recordOf(kind)['kind']);
  if (!(name in podSpecs) || recordOf(object)['kind'] !== name) return { images: [], isKnown: false };
  const isSame =
    operation === 'UPDATE' &&
    recordOf(recordOf(object)['metadata'])['uid'] === recordOf(recordOf(oldObject)['metadata'])['uid'];
  const held = isSame ? imagesOf(oldObject) : [];
  return { images: imagesOf(object).filter((image) => !held.includes(image)), isKnown: true };
}

function imagesOf(object: unknown): readonly unknown[] {
  const path = podSpecs[String(recordOf(object)['kind'])] ?? [];
  const spec = path.reduce<Json>((at, name) => recordOf(at[name]), recordOf(object));
  const containers = ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) =>
    listOf(spec[list]),
  );
  const volumes = listOf(spec['volumes']).map((volume) => recordOf(recordOf(volume)['image'])['reference']);
  return [
    ...containers.map((container) => recordOf(container)['image'] ?? ''),
    ...volumes.filter((reference) => reference !== undefined && reference !== ''),
  ];
}

function recordOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}
