import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../model/clock.ts';
import { isAppError } from '../model/errors.ts';
import { fieldManagers } from './field-managers.ts';
import { findObject } from './find-object.ts';
import type { CallOptions, KubeClient } from './kube-client.ts';
import { isRecord } from './kube-object.ts';
import type { KubeObject } from './kube-object.ts';
import { apiVersionOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';

/** What is to be said about an object; the times are worked out when it is written. */
export interface Finding {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  /** One word in camel case. */
  readonly reason: string;
  /** At most 4,096 characters are kept. */
  readonly message: string;
}

/** An entry of `status.conditions` (apimachinery, meta/v1 Condition). */
interface Condition extends Finding {
  /** RFC 3339, seconds; changes only when `status` does. */
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

/** What is written, and where. */
export interface StatusReport {
  readonly type: ResourceType;
  /** As last seen; read anew if it turns out to be older. */
  readonly object: KubeObject;
  readonly findings: readonly Finding[];
  /** Further fields of the status, by name. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Who writes, where several parts of ours write to one status; absent: `own`. */
  readonly fieldManager?: string | undefined;
}

const maxMessage = 4096;
const maxTries = 4;
const toldFields = ['status', 'reason', 'message', 'observedGeneration'] as const;

/**
 * Writes conditions and `observedGeneration` to the status subresource by server-side apply, if they say anything new:
 * of several that find the same, one writes. Gives true if this call changed what the object says; false also if it
 * is gone or was created anew. Throws the client's faults.
 */
export async function reportStatus(
  client: Pick<KubeClient, 'apply' | 'get'>,
  { type, object, findings, details = {}, fieldManager = fieldManagers.own }: StatusReport,
  { clock, signal }: CallOptions & { readonly clock: Pick<Clock, 'now'> },
): Promise<boolean> {
  const { uid } = object.metadata;
  const observedGeneration = generationOf(object);
  let current: KubeObject | undefined = object;
  for (let tries = 1; current?.metadata.uid === uid && current !== undefined; tries += 1) {
    // Somebody who saw a newer state reports on that.
    if (generationOf(current) !== observedGeneration) return false;
    const conditions = conditionsOf(findings, current, clock.now());
    const status = { ...details, observedGeneration, conditions };
    if (!isNews(status, current)) return false;
    const { name, namespace, resourceVersion } = current.metadata;
    const metadata = { name, namespace, uid, resourceVersion };
    const draft = { apiVersion: apiVersionOf(type), kind: type.kind, metadata, status };
    const options = { fieldManager, force: true, subresource: 'status', signal } as const;
    try {
      await client.apply(type, draft, options);
      return true;
    } catch (error) {
      if (hasCode(error, 'ERR_KUBE_NOT_FOUND')) return false;
      if (!hasCode(error, 'ERR_KUBE_CONFLICT') || tries === maxTries) throw error;
      current = await findObject(client, type, { name, namespace }, { signal });
    }
  }
  return false;
}

/** The condition of that type that an object carries. */
export function findCondition(object: KubeObject, type: string): Finding | undefined {
  return listConditions(object).find((condition) => condition.type === type);
}

function conditionsOf(findings: readonly Finding[], object: KubeObject, now: Date): readonly Condition[] {
  const known = new Map(listConditions(object).map((condition) => [condition.type, condition]));
  const observedGeneration = generationOf(object);
  const time = `${now.toISOString().slice(0, 19)}Z`;
  return findings.map(({ type, status, reason, message }) => {
    const before = known.get(type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : time;
    return {
      type,
      status,
      reason,
      message: message.slice(0, maxMessage),
      lastTransitionTime,
      ...(observedGeneration === undefined ? {} : { observedGeneration }),
    };
  });
}

function isNews(
  {
    conditions,
    ...fields
  }: Readonly<Record<string, unknown>> & { readonly conditions: readonly Condition[] },
  object: KubeObject,
): boolean {
  const known = listConditions(object);
  const present = isRecord(object['status']) ? object['status'] : {};
  return (
    Object.entries(fields).some(([name, value]) => !isDeepStrictEqual(present[name], value)) ||
    conditions.some((wanted) => {
      const before = known.find(({ type }) => type === wanted.type);
      // The generation of each: another part of ours may have written that of the whole status already.
      return toldFields.some((field) => before?.[field] !== wanted[field]);
    })
  );
}

function listConditions(object: KubeObject): readonly Condition[] {
  const status = isRecord(object['status']) ? object['status'] : {};
  const conditions = Array.isArray(status['conditions']) ? (status['conditions'] as unknown[]) : [];
  return conditions.filter((condition): condition is Condition & Record<string, unknown> => {
    const fields = ['type', 'status', 'lastTransitionTime'];
    return isRecord(condition) && fields.every((field) => typeof condition[field] === 'string');
  });
}

function generationOf({ metadata }: KubeObject): number | undefined {
  const { generation } = metadata;
  return typeof generation === 'number' ? generation : undefined;
}

function hasCode(error: unknown, code: string): boolean {
  return isAppError(error) && error.code === code;
}
