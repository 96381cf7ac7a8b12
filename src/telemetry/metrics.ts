import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { FaultKind } from '../model/errors.ts';
import type { ArtifactKind, RecordedDestination } from '../model/signing-record.ts';

/** How one pass over a run ended. */
export type RunOutcome = 'signed' | 'nothing-to-sign' | 'skipped' | 'retried' | 'failed';
/** What takes time while a run is signed; `run` is one whole pass. */
export type Stage = 'certificate' | 'log-append' | 'push' | 'subject-check' | 'run';
/** The kinds of objects that are watched. */
export type WatchedResource =
  'taskruns' | 'pipelineruns' | 'chainwrightconfigs' | 'signingpolicies' | 'configmaps';

/** State of the work queue at one instant. */
export interface QueueState {
  readonly waiting: number;
  readonly inWork: number;
  /** Age of the key that has waited longest; 0 where none waits. */
  readonly oldestAgeSeconds: number;
}

/** What the parts report; labels come from closed sets, never from names of images, runs or namespaces. */
export interface Metrics {
  runReconciled(outcome: RunOutcome): void;
  /** Seconds from the run's completion to its being marked as signed. */
  runSigned(latencySeconds: number): void;
  artifactSigned(kind: ArtifactKind): void;
  logEntryAppended(kind: ArtifactKind): void;
  pushed(layout: RecordedDestination['layout'], kind: ArtifactKind): void;
  faultOccurred(code: string, kind: FaultKind): void;
  stageTook(stage: Stage, seconds: number): void;
  certificateUsed(source: 'issued' | 'reused'): void;
  keyRetried(): void;
  informerSynced(resource: WatchedResource, at: Date): void;
  informerRelisted(resource: WatchedResource): void;
  /** `read` is called at each scrape. */
  watchQueue(read: () => QueueState): void;
}

/** The page that Prometheus scrapes. */
export interface MetricsPage {
  readonly contentType: string;
  render(): Promise<string>;
}

const stageBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
// A run may wait for hours while a server is away, and that is what this one is looked at for.
const latencyBuckets = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 14_400, 86_400];
const maxFaultCodes = 200;

/** Metrics on a registry of their own, with the usual ones of the process. All names are in docs/observability.md. */
export function createMetrics(options: { readonly version: string }): Metrics & MetricsPage {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const build = new Gauge({
    name: 'chainwright_build_info',
    help: 'Always 1; the label tells the version.',
    labelNames: ['version'],
    registers: [registry],
  });
  build.set({ version: options.version }, 1);
  return {
    ...runMetrics(registry),
    ...artifactMetrics(registry),
    ...faultMetrics(registry),
    ...queueMetrics(registry),
    ...informerMetrics(registry),
    contentType: registry.contentType,
    render: () => registry.metrics(),
  };
}

function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[],
): Counter<Label> {
  return new Counter({ name: `chainwright_${name}`, help, labelNames, registers: [registry] });
}

function runMetrics(registry: Registry): Pick<Metrics, 'runReconciled' | 'runSigned' | 'stageTook'> {
  const runs = counter(registry, 'runs_reconciled_total', 'Passes over runs, by how they ended.', [
    'outcome',
  ]);
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

function artifactMetrics(
  registry: Registry,
): Pick<Metrics, 'artifactSigned' | 'logEntryAppended' | 'pushed' | 'certificateUsed'> {
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
  return {
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

function faultMetrics(registry: Registry): Pick<Metrics, 'faultOccurred'> {
  const faults = counter(
    registry,
    'faults_total',
    'Faults, by code (docs/errors.md) and by who can mend them.',
    ['code', 'kind'],
  );
  const known = new Set<string>();
  return {
    faultOccurred: (code, kind) => {
      const isCode = /^ERR_[A-Z\d_]{1,60}$/.test(code) && (known.has(code) || known.size < maxFaultCodes);
      if (isCode) known.add(code);
      faults.inc({ code: isCode ? code : 'other', kind });
    },
  };
}

function queueMetrics(registry: Registry): Pick<Metrics, 'keyRetried' | 'watchQueue'> {
  const retries = counter(registry, 'queue_retries_total', 'Keys put back to be tried again.', []);
  return {
    keyRetried: () => {
      retries.inc();
    },
    watchQueue: (read) => {
      const gauge = (name: string, help: string, value: (state: QueueState) => number): void => {
        new Gauge({
          name: `chainwright_${name}`,
          help,
          registers: [registry],
          collect() {
            this.set(value(read()));
          },
        });
      };
      gauge('queue_depth', 'Keys that wait.', ({ waiting }) => waiting);
      gauge('queue_in_work', 'Keys in work.', ({ inWork }) => inWork);
      gauge(
        'queue_oldest_age_seconds',
        'Age of the key that has waited longest.',
        ({ oldestAgeSeconds }) => oldestAgeSeconds,
      );
    },
  };
}

function informerMetrics(registry: Registry): Pick<Metrics, 'informerSynced' | 'informerRelisted'> {
  const lastSync = new Gauge({
    name: 'chainwright_informer_last_sync_timestamp_seconds',
    help: 'When the API server was last heard of, by resource.',
    labelNames: ['resource'],
    registers: [registry],
  });
  const relists = counter(
    registry,
    'informer_relists_total',
    'Complete lists, by resource; the first one counts.',
    ['resource'],
  );
  return {
    informerSynced: (resource, at) => {
      lastSync.set({ resource }, at.getTime() / 1000);
    },
    informerRelisted: (resource) => {
      relists.inc({ resource });
    },
  };
}
