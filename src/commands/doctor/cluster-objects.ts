import { isRecord } from '../../kube/kube-object.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import type { ResourceType } from '../../kube/resource-type.ts';
import { isAppError } from '../../model/errors.ts';
import type { ClusterParts } from './examination.ts';

/** All objects of a kind; none where the cluster does not know the kind. Throws ERR_KUBE_*. */
export async function listObjects(
  { client, signal }: Pick<ClusterParts, 'client' | 'signal'>,
  type: ResourceType,
  options: { readonly namespace?: string; readonly labelSelector?: string } = {},
): Promise<readonly KubeObject[]> {
  try {
    const { items } = await client.list(type, { ...options, signal });
    return items;
  } catch (error) {
    if (isAppError(error) && error.code === 'ERR_KUBE_NOT_FOUND') return [];
    throw error;
  }
}

/** A field below other fields of something that came from outside; undefined where the way there is missing. */
export function fieldOf(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((found, name) => (isRecord(found) ? found[name] : undefined), value);
}

/** The records of a list that came from outside. */
export function recordsIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

/** A text that came from outside, or none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
