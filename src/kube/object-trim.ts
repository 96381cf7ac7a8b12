import type { KubeObject, ObjectMeta } from './kube-object.ts';

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** `object` without what no reader of ours needs: managed fields and kubectl's copy of the whole object. */
export function trimMetadata<T extends KubeObject>(object: T): T {
  const { annotations } = object.metadata;
  const fields = Object.entries(object.metadata).filter(([field]) => field !== 'managedFields');
  const metadata = Object.fromEntries(fields) as ObjectMeta;
  if (annotations === undefined || !(lastApplied in annotations)) return { ...object, metadata };
  const kept = Object.fromEntries(Object.entries(annotations).filter(([name]) => name !== lastApplied));
  return { ...object, metadata: { ...metadata, annotations: kept } };
}

/** Freezes `value` and all that it holds, and gives it back. */
export function freezeDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const field of Object.values(value)) freezeDeep(field);
  return value;
}

/** What tells an object and its state from others, and nothing more of its metadata. */
export function identityOf({
  name,
  namespace,
  uid,
  resourceVersion,
}: ObjectMeta): Pick<ObjectMeta, 'name' | 'namespace' | 'uid' | 'resourceVersion'> {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}
