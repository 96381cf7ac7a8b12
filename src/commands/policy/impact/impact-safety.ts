import type { AskedPolicy, ImpactTotals } from './impact-report.ts';
import type { PastDecision } from './past-decisions.ts';

/** Whether the policies may enforce, and why. */
export interface ImpactSafety {
  /** `watch`: nothing speaks against them, but they were not tried as they are with `mode: warn` yet, or nobody looked at all. */
  readonly verdict: 'safe' | 'watch' | 'unsafe';
  readonly reasons: readonly string[];
  /** Since when the policies have been in the cluster as they are without a warning that is still known; RFC 3339. */
  readonly quietSince?: string;
}

/** What is known of the time before. */
export interface SafetyHistory {
  readonly past: readonly PastDecision[];
  /** Whether there was more than was looked at. */
  readonly isCut: boolean;
  /** From when on Events were looked at. */
  readonly since: Date;
}

const cutEvents =
  'There are more Events than are looked at: whether others tell of a denial or warning is not known. One namespace alone (--namespace) has fewer.';
const keptEvents = 'The API server keeps Events for an hour unless it is told otherwise (--event-ttl).';

/** Judges whether the asked policies may enforce. `history` is absent where nobody asked for it. */
export function judgeSafety(
  asked: readonly AskedPolicy[],
  totals: ImpactTotals,
  history?: SafetyHistory,
): ImpactSafety {
  const { workloadsDenied: denied, workloadsUnknown: unknown, workloadsExcepted: excepted } = totals;
  const cut = history?.isCut === true ? [cutEvents] : [];
  const against = [
    ...(denied > 0 ? [`${countOf(denied, 'workload')} would be denied.`] : []),
    ...(unknown > 0 ? [`Nothing could be found out about ${countOf(unknown, 'workload')}.`] : []),
  ];
  if (against.length > 0) return { verdict: 'unsafe', reasons: [...against, ...cut] };
  const none = `None of ${countOf(totals.workloads, 'workload')} would be denied.`;
  const notes =
    excepted > 0
      ? [
          none,
          `${countOf(excepted, 'workload')} would be let in by an exception alone, and only until it ends.`,
        ]
      : [none];
  const untried = untriedReasons(asked);
  if (untried.length > 0) return { verdict: 'watch', reasons: [...notes, ...untried, ...cut] };
  if (history === undefined) {
    const next = 'Whether anything was denied or warned of lately was not looked at: --events does.';
    return { verdict: 'watch', reasons: [...notes, next] };
  }
  return judgeQuiet(asked, notes, history);
}

/** Why policies have not been tried as they are, as far as is known. */
function untriedReasons(asked: readonly AskedPolicy[]): readonly string[] {
  const tell = (isMeant: (policy: AskedPolicy) => boolean, text: string): readonly string[] => {
    const names = asked.filter(isMeant).map(({ name }) => name);
    return names.length === 0 ? [] : [`${names.join(', ')}: ${text}`];
  };
  const first = 'with mode: warn first, and look again after a release of everything.';
  return [
    ...tell(({ inCluster }) => inCluster === undefined, `not in the cluster yet. Apply it ${first}`),
    ...tell(
      ({ inCluster }) => inCluster?.isSame === false,
      `the cluster has another version. Apply this one ${first}`,
    ),
    ...tell(
      ({ inCluster }) => inCluster?.isSame === true && inCluster.since === undefined,
      'the API server does not tell since when the cluster has this version. Apply it with --server-side --force-conflicts, which notes it, and look again after a release of everything.',
    ),
  ];
}

function judgeQuiet(
  asked: readonly AskedPolicy[],
  notes: readonly string[],
  { past, isCut, since }: SafetyHistory,
): ImpactSafety {
  const names = new Set(asked.map(({ name }) => name));
  const failing = past.filter(
    ({ policies, then }) => policies.some((name) => names.has(name)) || then === 'denied',
  );
  const lastMs = Math.max(0, ...failing.map(({ at }) => Date.parse(at)));
  const youngestMs = Math.max(...asked.map(({ inCluster }) => Date.parse(inCluster?.since ?? '')));
  const quietSince = new Date(Math.max(lastMs, youngestMs, since.getTime())).toISOString();
  if (isCut) {
    const told = failing.length === 0 ? [] : [lastTold(lastMs)];
    return { verdict: 'watch', reasons: [...notes, ...told, cutEvents, keptEvents] };
  }
  if (failing.length === 0) {
    const quiet = `No Event since ${quietSince} tells of a denial or warning by these policies. ${keptEvents}`;
    return { verdict: 'safe', reasons: [...notes, quiet], quietSince };
  }
  return { verdict: 'watch', reasons: [...notes, lastTold(lastMs), keptEvents], quietSince };
}

function lastTold(atMs: number): string {
  return `The last denial or warning was at ${new Date(atMs).toISOString()}: see what was kept out or warned of below.`;
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
