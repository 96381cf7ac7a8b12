/** What the plan needs to know of a record. */
export interface KeptRecord {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** When it was created, in milliseconds since 1970. */
  readonly createdMs: number;
}

/** How long records are kept; `spec.records` of the settings. */
export interface RetentionRules {
  readonly maxAgeMs: number;
  readonly minAgeMs: number;
  readonly maxPerNamespace: number;
}

/**
 * Which records of one namespace may go, the oldest first: those of runs that are gone, once they are older than `maxAge`, or
 * more than `maxPerNamespace`. One whose run is still there stays: it is what makes the run's mark believed. One younger than
 * `minAge` stays: the log monitor may not have seen it. `expiresInMs`: when the next one may go, if nothing changes. Pure.
 */
export function planRetention(
  records: readonly KeptRecord[],
  rules: RetentionRules,
  { nowMs, isRunPresent }: { readonly nowMs: number; readonly isRunPresent: (record: KeptRecord) => boolean },
): { readonly expired: readonly KeptRecord[]; readonly expiresInMs: number | undefined } {
  const orphans = records
    .filter((record) => Number.isFinite(record.createdMs) && !isRunPresent(record))
    .sort((one, other) => one.createdMs - other.createdMs);
  const surplus = Math.max(0, orphans.length - rules.maxPerNamespace);
  const dueMs = (record: KeptRecord, index: number): number => {
    const lifeMs = index < surplus ? rules.minAgeMs : Math.max(rules.maxAgeMs, rules.minAgeMs);
    return record.createdMs + lifeMs;
  };
  const due = orphans.map((record, index) => ({ record, inMs: dueMs(record, index) - nowMs }));
  const later = due.filter(({ inMs }) => inMs > 0).map(({ inMs }) => inMs);
  return {
    expired: due.filter(({ inMs }) => inMs <= 0).map(({ record }) => record),
    expiresInMs: later.length === 0 ? undefined : Math.min(...later),
  };
}
