import { Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { ArtifactKind, RecordedDestination } from '../model/signing-record.ts';
import { counter, openRegistry, operationMetrics, readGauge } from './operation-metrics.ts';
import type { MetricsPage, OperationMetrics } from './operation-metrics.ts';
import { settingsMetrics } from './settings-metrics.ts';
import type { SettingsMetrics } from './settings-metrics.ts';

const runOutcomes = ['signed', 'nothing-to-sign', 'skipped', 'retried', 'failed'] as const;

/** How one pass over a run ended. */
export type RunOutcome = (typeof runOutcomes)[number];
/** What takes time while a run is signed: `queue-wait` comes before a pass, `run` is one whole pass, `sbom` a part of `subject-check`. */
export type Stage =
  | 'queue-wait'
  | 'subject-check'
  | 'sbom'
  | 'certificate'
  | 'sign'
  | 'record'
  | 'log-append'
  | 'push'
  | 'mark'
  | 'run';

/** Completed runs that are to be signed and not settled yet. */
export interface Backlog {
  readonly runs: number;
  /** Since the completion of the oldest of them; 0 where there is none. */
  readonly oldestAgeSeconds: number;
}

/** What the parts report; labels come from closed sets, never from names of images, runs or namespaces. */
export interface Metrics extends OperationMetrics, SettingsMetrics {
  runReconciled(outcome: RunOutcome): void;
  /** Seconds from the run's completion to its being marked as signed. */
  runSigned(latencySeconds: number): void;
  artifactSigned(kind: ArtifactKind): void;
  logEntryAppended(kind: ArtifactKind): void;
  pushed(layout: RecordedDestination['layout'], kind: ArtifactKind): void;
  stageTook(stage: Stage, seconds: number): void;
  certificateUsed(source: 'issued' | 'reused'): void;
  recordsPruned(count: number): void;
  /** `read` is called at each scrape. */
  watchShares(read: () => { readonly held: number; readonly replicas: number }): void;
  /** `read` is called at each scrape. */
  watchBacklog(read: () => Backlog): void;
}

const stageBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
// A run may wait for hours while a server is away, and that is what this one is looked at for.
const latencyBuckets = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 14_400, 86_400];

/** Metrics on a registry of their own, with the usual ones of the process. All names are in docs/observability.md. */
export function createMetrics(options: { readonly version: string }): Metrics & MetricsPage {
  const { registry, page } = openRegistry(options);
  return {
    ...operationMetrics(registry),
    ...runMetrics(registry),
    ...artifactMetrics(registry),
    ...settingsMetrics(registry),
    ...shareMetrics(registry),
    ...page,
  };
}

function runMetrics(registry: Registry): Pick<Metrics, 'runReconciled' | 'runSigned' | 'stageTook'> {
  const runs = counter(registry, 'runs_reconciled_total', 'Passes over runs, by how they ended.', [
    'outcome',
  ]);
  // Prometheus sees a first count as an increase only where there was a 0 before.
  for (const outcome of runOutcomes) runs.inc({ outcome }, 0);
  const latency = new Histogram({
    name: 'chainwright_run_signing_latency_seconds',
    help: 'From the completion of a run to its being marked as signed.',
    buckets: latencyBuckets,
    registers: [registry],
  });
  const stages = new Histogram({
    name: 'chainwright_stage_duration_seconds',
    help: 'Duration of the stages of signing, failed ones included.',
    labelNames: ['stage'],
    buckets: stageBuckets,
    registers: [registry],
  });
  return {
    runReconciled: (outcome) => {
      runs.inc({ outcome });
    },
    runSigned: (seconds) => {
      latency.observe(seconds);
    },
    stageTook: (stage, seconds) => {
      stages.observe({ stage }, seconds);
    },
  };
}

function shareMetrics(registry: Registry): Pick<Metrics, 'watchShares' | 'watchBacklog'> {
  return {
    watchShares: (read) => {
      readGauge(registry, 'shares_held', 'Shares of the runs that this replica holds.', () => read().held);
      readGauge(registry, 'replicas', 'Replicas that this one knows to be alive.', () => read().replicas);
    },
    watchBacklog: (read) => {
      readGauge(registry, 'backlog_runs', 'Completed runs that are not settled yet.', () => read().runs);
      readGauge(
        registry,
        'backlog_age_seconds',
        'Since the completion of the oldest run that is not settled yet.',
        () => read().oldestAgeSeconds,
      );
    },
  };
}

function artifactMetrics(
  registry: Registry,
): Pick<Metrics, 'artifactSigned' | 'logEntryAppended' | 'pushed' | 'certificateUsed' | 'recordsPruned'> {
  const signed = counter(registry, 'artifacts_signed_total', 'Artifacts signed, by kind.', ['kind']);
  const entries = counter(
    registry,
    'log_entries_total',
    'Entries that a transparency log took, by kind of artifact.',
    ['kind'],
  );
  const pushes = counter(registry, 'pushes_total', 'Artifacts stored, by layout and kind.', [
    'layout',
    'kind',
  ]);
  const certificates = counter(
    registry,
    'certificate_uses_total',
    'Signatures by whether their certificate was new.',
    ['source'],
  );
  const pruned = counter(registry, 'records_pruned_total', 'SigningRecords deleted after their time.', []);
  return {
    recordsPruned: (count) => {
      pruned.inc(count);
    },
    artifactSigned: (kind) => {
      signed.inc({ kind });
    },
    logEntryAppended: (kind) => {
      entries.inc({ kind });
    },
    pushed: (layout, kind) => {
      pushes.inc({ layout, kind });
    },
    certificateUsed: (source) => {
      certificates.inc({ source });
    },
  };
}
