import { isRecord } from '../../kube/kube-object.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import type { ResourceType } from '../../kube/resource-type.ts';
import { isAppError } from '../../model/errors.ts';
import type { AppError } from '../../model/errors.ts';
import type { ClusterParts } from './examination.ts';
import type { Discovery } from './finding-table.ts';

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

/** True for the API server's refusal of what our account has no right to. */
export function isForbidden(error: unknown): error is AppError {
  return isAppError(error) && error.code === 'ERR_KUBE_FORBIDDEN';
}

/** What was found, or the notice that `part` may not be looked at, so that the rest of the check counts all the same. */
export async function unlessForbidden(
  looking: Promise<readonly Discovery[]>,
  part: string,
): Promise<readonly Discovery[]> {
  try {
    return await looking;
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return [{ id: 'not-checked', object: part, message: `${error.code}: ${error.message}` }];
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
