/** What the plan needs to know of a record; times in milliseconds since 1970. */
export interface KeptRecord {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly createdMs: number;
  /** When what it says was last changed. */
  readonly writtenMs: number;
  /** Since when its run is known to be gone; absent if that was not noted on it yet. */
  readonly goneMs?: number;
}

/** How long records are kept; `spec.records` of the settings. */
export interface RetentionRules {
  readonly maxAgeMs: number;
  readonly minAgeMs: number;
  readonly maxPerNamespace: number;
}

/** What is to be done with the records of one namespace. */
export interface RetentionPlan {
  /** May go now, the oldest first. */
  readonly expired: readonly KeptRecord[];
  /** Their run is gone since now, as far as is known; to be noted, so that their time counts from here. */
  readonly unmarked: readonly KeptRecord[];
  /** When the next one may go, if nothing changes. */
  readonly expiresInMs: number | undefined;
}

/**
 * Which records of one namespace may go: those whose run has been gone for `maxAge`, and of those whose run is gone the
 * oldest, where they are more than `maxPerNamespace`. One whose run is still there stays: it is what makes the run's mark
 * believed. One that was written less than `minAge` ago stays: the log monitor may not have seen it. Pure.
 */
export function planRetention(
  records: readonly KeptRecord[],
  { maxAgeMs, minAgeMs, maxPerNamespace }: RetentionRules,
  { nowMs, isRunPresent }: { readonly nowMs: number; readonly isRunPresent: (record: KeptRecord) => boolean },
): RetentionPlan {
  const orphans = records
    .filter((record) => Number.isFinite(record.createdMs) && !isRunPresent(record))
    .sort((one, other) => one.writtenMs - other.writtenMs);
  const surplus = Math.max(0, orphans.length - maxPerNamespace);
  const dueMs = (record: KeptRecord, index: number): number => {
    const { writtenMs } = record;
    const earliestMs = writtenMs + minAgeMs;
    if (index < surplus) return earliestMs;
    const goneMs = isMarked(record, nowMs) ? record.goneMs : nowMs;
    return Math.max(earliestMs, Math.max(goneMs, writtenMs) + maxAgeMs);
  };
  const due = orphans.map((record, index) => ({ record, inMs: dueMs(record, index) - nowMs }));
  const later = due.filter(({ inMs }) => inMs > 0);
  return {
    expired: due.filter(({ inMs }) => inMs <= 0).map(({ record }) => record),
    unmarked: later.map(({ record }) => record).filter((record) => !isMarked(record, nowMs)),
    expiresInMs: later.length === 0 ? undefined : Math.min(...later.map(({ inMs }) => inMs)),
  };
}

/** A time that is yet to come is no mark: it would keep the record for as long as somebody likes. */
function isMarked(record: KeptRecord, nowMs: number): record is KeptRecord & { readonly goneMs: number } {
  return record.goneMs !== undefined && record.goneMs <= nowMs;
}
