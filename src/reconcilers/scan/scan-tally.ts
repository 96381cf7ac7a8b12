import type { PodCount, ScanOutcome } from '../../telemetry/scan-metrics.ts';
import { outcomeOf, worstOf } from './scan-verdict.ts';
import type { PlacedFinding } from './scan-verdict.ts';

interface Entry {
  readonly outcome: ScanOutcome;
  readonly counts: readonly PodCount[];
  readonly atMs: number;
}

/** How the workloads of this replica stand. */
export class ScanTally {
  readonly #entries = new Map<string, Entry>();

  /** Takes the verdict on a workload, given the findings on each of its Pods. */
  put(
    key: string,
    verdict: {
      readonly outcome: ScanOutcome;
      readonly ofPods: readonly (readonly PlacedFinding[])[];
      readonly at: Date;
    },
  ): void {
    const { outcome, ofPods, at } = verdict;
    this.#entries.set(key, { outcome, counts: countPods(ofPods), atMs: at.getTime() });
  }

  outcomeOf(key: string): ScanOutcome | undefined {
    return this.#entries.get(key)?.outcome;
  }

  remove(key: string): void {
    this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Age of the oldest verdict in seconds. */
  oldestSeconds(now: Date): number {
    let oldest = now.getTime();
    for (const { atMs } of this.#entries.values()) oldest = Math.min(oldest, atMs);
    return (now.getTime() - oldest) / 1000;
  }

  /** Pods by policy and outcome. */
  pods(): readonly PodCount[] {
    return sum([...this.#entries.values()].flatMap(({ counts }) => counts));
  }
}

/** Each Pod counts once for each policy that is about one of its images, by its worst verdict. */
function countPods(ofPods: readonly (readonly PlacedFinding[])[]): readonly PodCount[] {
  return sum(
    ofPods.flatMap((findings) => {
      const said = findings.flatMap((finding) =>
        finding.decisions.map(({ policy, outcome }) => ({
          policy,
          outcome: finding.faultKind === undefined ? outcome : outcomeOf(finding),
        })),
      );
      const byPolicy = Map.groupBy(said, ({ policy }) => policy);
      return [...byPolicy].map(([policy, list]) => {
        return { policy, outcome: worstOf(list.map(({ outcome }) => outcome)), pods: 1 };
      });
    }),
  );
}

function sum(counts: readonly PodCount[]): readonly PodCount[] {
  const groups = Map.groupBy(counts, ({ policy, outcome }) => `${outcome} ${policy}`);
  return [...groups.values()].flatMap(([first, ...rest]) => {
    if (first === undefined) return [];
    return [{ ...first, pods: rest.reduce((total, { pods }) => total + pods, first.pods) }];
  });
}
