import { isRecord } from '../kube-object.ts';
import type { KubeObject, KubeObjectDraft } from '../kube-object.ts';
import { resourceTypes, apiVersionOf } from '../resource-type.ts';

/** What a Lease (coordination.k8s.io/v1) says, as far as we use it. */
export interface LeaseRecord {
  readonly name: string;
  /** Empty: nobody holds it. */
  readonly holder: string;
  /** How long it counts after it was seen to change, in milliseconds. */
  readonly durationMs: number;
  /** RFC 3339 with microseconds, by the holder's clock: told to readers, never reckoned with. */
  readonly acquireTime: string;
  readonly renewTime: string;
  /** How often it changed hands. */
  readonly transitions: number;
  readonly version: string | undefined;
  readonly uid: string | undefined;
}

/** What is about to be written into a Lease. */
export interface LeaseClaim extends Pick<LeaseRecord, 'name' | 'holder' | 'durationMs' | 'transitions'> {
  readonly acquireTime: string;
  readonly renewTime: string;
  /** Absent: the Lease is to be created. */
  readonly version?: string | undefined;
}

/** Carries the name of the group that a Lease belongs to. */
export const leaseGroupLabel = 'chainwright.dev/lease-group';

// A Lease that says nothing usable must neither be free at once nor be held for ever.
const durations = { leastMs: 1000, mostMs: 300_000, defaultMs: 15_000 };

/** Reads a Lease, whoever wrote it. */
export function readLease({ metadata, spec }: KubeObject): LeaseRecord {
  const fields = isRecord(spec) ? spec : {};
  const seconds = fields['leaseDurationSeconds'];
  const durationMs = typeof seconds === 'number' ? seconds * 1000 : durations.defaultMs;
  const { leaseTransitions: transitions } = fields;
  return {
    name: metadata.name,
    holder: textOf(fields['holderIdentity']),
    durationMs: Math.min(Math.max(durationMs, durations.leastMs), durations.mostMs),
    acquireTime: textOf(fields['acquireTime']),
    renewTime: textOf(fields['renewTime']),
    transitions: typeof transitions === 'number' ? transitions : 0,
    version: metadata.resourceVersion,
    uid: metadata.uid,
  };
}

/** The Lease that says what is claimed. */
export function leaseDraft(
  claim: LeaseClaim,
  { namespace, group }: { readonly namespace: string; readonly group: string },
): KubeObjectDraft {
  const { name, holder, durationMs, acquireTime, renewTime, transitions, version } = claim;
  return {
    apiVersion: apiVersionOf(resourceTypes.leases),
    kind: resourceTypes.leases.kind,
    metadata: {
      name,
      namespace,
      labels: { [leaseGroupLabel]: group, 'app.kubernetes.io/part-of': 'chainwright' },
      ...(version === undefined ? {} : { resourceVersion: version }),
    },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: Math.ceil(durationMs / 1000),
      acquireTime,
      renewTime,
      leaseTransitions: transitions,
    },
  };
}

/** An instant as Leases want it (MicroTime). */
export function microTime(at: Date): string {
  return at.toISOString().replace('Z', '000Z');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
