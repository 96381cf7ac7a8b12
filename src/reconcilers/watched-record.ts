import { fieldManagers } from '../kube/field-managers.ts';
import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject, ObjectMeta } from '../kube/kube-object.ts';
import { identityOf } from '../kube/object-trim.ts';
import type { KeptRecord } from './record-retention-plan.ts';

/** Annotation of a SigningRecord: since when its run is known to be gone, RFC 3339. Written once by the controller. */
export const runGoneAnnotation = 'chainwright.dev/run-gone';

/** What is kept in memory of a SigningRecord: whether its run is settled, and what its retention asks for. */
export interface WatchedRecord extends KubeObject {
  readonly phase: string;
  readonly runKind: string;
  readonly times: Pick<KeptRecord, 'createdMs' | 'writtenMs' | 'goneMs'>;
}

/** Reduces a SigningRecord to a {@link WatchedRecord}. */
export function toWatchedRecord({ apiVersion, kind, metadata, spec }: KubeObject): WatchedRecord {
  return {
    apiVersion,
    kind,
    metadata: identityOf(metadata),
    phase: isRecord(spec) && typeof spec['phase'] === 'string' ? spec['phase'] : '',
    runKind: isRecord(spec) && isRecord(spec['run']) ? String(spec['run']['kind']) : '',
    times: timesOf(metadata),
  };
}

/** What the plan of its retention needs to know of it. */
export function toKeptRecord({ metadata, times }: WatchedRecord): KeptRecord {
  const { namespace = '', name, uid = '', resourceVersion = '' } = metadata;
  return { namespace, name, uid, resourceVersion, ...times };
}

function timesOf(metadata: ObjectMeta): WatchedRecord['times'] {
  const createdMs = Date.parse(metadata.creationTimestamp ?? '');
  const goneMs = Date.parse(metadata.annotations?.[runGoneAnnotation] ?? '');
  return {
    createdMs,
    writtenMs: Math.max(createdMs, ...writeTimes(metadata['managedFields'])),
    ...(Number.isNaN(goneMs) ? {} : { goneMs }),
  };
}

/** When each writer last changed it; that its run is gone is no news of what was signed. */
function writeTimes(managedFields: unknown): readonly number[] {
  const entries = Array.isArray(managedFields) ? managedFields.filter(isRecord) : [];
  return entries
    .filter(({ manager }) => manager !== fieldManagers.retention)
    .map(({ time }) => (typeof time === 'string' ? Date.parse(time) : NaN))
    .filter(Number.isFinite);
}
