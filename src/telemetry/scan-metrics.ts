import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { boundedLabel, counter, readGauge } from './operation-metrics.ts';

/** How what runs stands by a policy; `error`: nothing could be found out. */
export type ScanOutcome = 'admitted' | 'warned' | 'denied' | 'error';

/** How many Pods stand how by one policy; `policy` is empty where none is about an image. */
export interface PodCount {
  readonly policy: string;
  readonly outcome: ScanOutcome;
  readonly pods: number;
}

/** What the background scan holds at one instant. */
export interface ScanState {
  readonly pods: readonly PodCount[];
  readonly workloads: number;
  /** Pods that are too many to be judged. */
  readonly skippedPods: number;
  /** Shares of the work that this replica holds. */
  readonly buckets: number;
  /** Age of the verdict that is oldest; 0 where there is none. */
  readonly oldestVerdictSeconds: number;
}

/** What the background scan reports. */
export interface ScanMetrics {
  /** A workload was judged. */
  workloadScanned(outcome: ScanOutcome): void;
  reportWritten(result: 'written' | 'unchanged' | 'failed'): void;
  /** `read` is called at each scrape; undefined where nothing is scanned. */
  watchScan(read: () => ScanState | undefined): void;
}

const maxPolicies = 200;
const noScan: ScanState = { pods: [], workloads: 0, skippedPods: 0, buckets: 0, oldestVerdictSeconds: 0 };

/** The metrics of the background scan on a registry. All names are in docs/observability.md. */
export function scanMetrics(registry: Registry): ScanMetrics {
  const scanned = counter(registry, 'scan_workloads_total', 'Workloads judged again, by the worst verdict.', [
    'outcome',
  ]);
  const reports = counter(registry, 'scan_reports_total', 'Policy reports, by what became of them.', [
    'result',
  ]);
  return {
    workloadScanned: (outcome) => {
      scanned.inc({ outcome });
    },
    reportWritten: (result) => {
      reports.inc({ result });
    },
    watchScan: (readState) => {
      const read = (): ScanState => readState() ?? noScan;
      watchPods(registry, read);
      const gauges = [
        ['scan_workloads', 'Workloads that this replica judges.', ({ workloads }) => workloads],
        ['scan_pods_skipped', 'Pods that are too many to be judged.', ({ skippedPods }) => skippedPods],
        ['scan_buckets', 'Shares of the work that this replica holds.', ({ buckets }) => buckets],
        [
          'scan_oldest_verdict_age_seconds',
          'Age of the oldest verdict on what runs.',
          ({ oldestVerdictSeconds }) => oldestVerdictSeconds,
        ],
      ] as const satisfies readonly (readonly [string, string, (state: ScanState) => number])[];
      for (const [name, help, value] of gauges) readGauge(registry, name, help, () => value(read()));
    },
  };
}

function watchPods(registry: Registry, read: () => ScanState): void {
  const policyLabel = boundedLabel(maxPolicies, /^[a-z0-9.-]{0,253}$/);
  new Gauge({
    name: 'chainwright_scan_pods',
    help: 'Running Pods that this replica judges, by policy and verdict.',
    labelNames: ['policy', 'verdict'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { policy, outcome, pods } of read().pods) {
        this.inc({ policy: policyLabel(policy), verdict: outcome }, pods);
      }
    },
  });
}
