import type { AskedPolicy, ImpactTotals } from './impact-report.ts';
import type { PastDecision } from './past-decisions.ts';

/** Whether the policies may enforce, and why. */
export interface ImpactSafety {
  /** `watch`: nothing speaks against them, but they were not tried with `mode: warn` yet, or nobody looked. */
  readonly verdict: 'safe' | 'watch' | 'unsafe';
  readonly reasons: readonly string[];
  /** Since when the policies have been in the cluster without a warning that is still known; RFC 3339. */
  readonly quietSince?: string;
}

/** What is known of the time before. */
export interface SafetyHistory {
  readonly past: readonly PastDecision[];
  /** From when on Events were looked at. */
  readonly since: Date;
}

const keptEvents = 'The API server keeps Events for an hour unless it is told otherwise (--event-ttl).';

/** Judges whether the asked policies may enforce. `history` is absent where nobody asked for it. */
export function judgeSafety(
  asked: readonly AskedPolicy[],
  totals: ImpactTotals,
  history?: SafetyHistory,
): ImpactSafety {
  const { workloadsDenied: denied, workloadsUnknown: unknown, workloadsExcepted: excepted } = totals;
  const against = [
    ...(denied > 0 ? [`${countOf(denied, 'workload')} would be denied.`] : []),
    ...(unknown > 0 ? [`Nothing could be found out about ${countOf(unknown, 'workload')}.`] : []),
  ];
  if (against.length > 0) return { verdict: 'unsafe', reasons: against };
  const none = `None of ${countOf(totals.workloads, 'workload')} would be denied.`;
  const notes =
    excepted > 0
      ? [
          none,
          `${countOf(excepted, 'workload')} would be let in by an exception alone, and only until it ends.`,
        ]
      : [none];
  const absent = asked.filter(({ inCluster }) => inCluster === undefined);
  if (absent.length > 0) {
    const names = absent.map(({ name }) => name).join(', ');
    const next = `${names}: not in the cluster yet. Apply it with mode: warn first, and look again after a release of everything.`;
    return { verdict: 'watch', reasons: [...notes, next] };
  }
  if (history === undefined) {
    const next = 'Whether anything was denied or warned of lately was not looked at: --events does.';
    return { verdict: 'watch', reasons: [...notes, next] };
  }
  return judgeQuiet(asked, notes, history);
}

function judgeQuiet(
  asked: readonly AskedPolicy[],
  notes: readonly string[],
  { past, since }: SafetyHistory,
): ImpactSafety {
  const names = new Set(asked.map(({ name }) => name));
  const failing = past.filter(
    ({ policies, then }) => policies.some((name) => names.has(name)) || then === 'denied',
  );
  const lastMs = Math.max(0, ...failing.map(({ at }) => Date.parse(at)));
  const youngestMs = Math.max(...asked.map(({ inCluster }) => Date.parse(inCluster?.since ?? '')));
  const quietSince = new Date(Math.max(lastMs, youngestMs, since.getTime())).toISOString();
  if (failing.length === 0) {
    const quiet = `No Event since ${quietSince} tells of a denial or warning by these policies. ${keptEvents}`;
    return { verdict: 'safe', reasons: [...notes, quiet], quietSince };
  }
  const last = `The last denial or warning was at ${new Date(lastMs).toISOString()}: see what was kept out or warned of below.`;
  return { verdict: 'watch', reasons: [...notes, last, keptEvents], quietSince };
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
