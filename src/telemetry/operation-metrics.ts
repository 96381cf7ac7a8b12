import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { FaultKind } from '../model/errors.ts';
import type { GelfCounts } from './gelf-counts.ts';

/** The informers of one resource at one instant. */
export interface InformerState {
  readonly resource: string;
  /** When the API server was last heard of, by the one that heard of it least recently. */
  readonly heardAt: Date;
  /** Complete lists so far. */
  readonly lists: number;
}

/** State of the work queue at one instant. */
export interface QueueState {
  readonly waiting: number;
  readonly inWork: number;
  /** Age of the key that has waited longest; 0 where none waits. */
  readonly oldestAgeSeconds: number;
}

/** What every server of ours reports: faults, its work queue, its informers, what it sends to Graylog. */
export interface OperationMetrics {
  faultOccurred(code: string, kind: FaultKind): void;
  keyRetried(): void;
  /** `read` is called at each scrape. */
  watchInformers(read: () => readonly InformerState[]): void;
  /** `read` is called at each scrape. */
  watchQueue(read: () => QueueState): void;
  /** `read` is called at each scrape. */
  watchGelf(read: () => GelfCounts): void;
}

/** The page that Prometheus scrapes. */
export interface MetricsPage {
  readonly contentType: string;
  render(): Promise<string>;
}

const maxFaultCodes = 200;
const codePattern = /^ERR_[A-Z\d_]{1,60}$/;

/** A registry with the usual metrics of the process and the version, and the page that shows it. */
export function openRegistry(options: { readonly version: string }): {
  readonly registry: Registry;
  readonly page: MetricsPage;
} {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const build = new Gauge({
    name: 'chainwright_build_info',
    help: 'Always 1; the label tells the version.',
    labelNames: ['version'],
    registers: [registry],
  });
  build.set({ version: options.version }, 1);
  return { registry, page: { contentType: registry.contentType, render: () => registry.metrics() } };
}

/** A counter `chainwright_NAME` on `registry`. */
export function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[],
): Counter<Label> {
  return new Counter({ name: `chainwright_${name}`, help, labelNames, registers: [registry] });
}

/** A gauge `chainwright_NAME` on `registry` that `read` is asked for at each scrape. */
export function readGauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name: `chainwright_${name}`,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** Lets the first `max` values that match `pattern` through as label values; all others become `other`. */
export function boundedLabel(max: number, pattern: RegExp): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (!known.has(value)) {
      if (known.size >= max || !pattern.test(value)) return 'other';
      known.add(value);
    }
    return value;
  };
}

/** The metrics that all servers of ours have. */
export function operationMetrics(registry: Registry): OperationMetrics {
  return {
    ...faultMetrics(registry),
    ...queueMetrics(registry),
    ...informerMetrics(registry),
    ...gelfMetrics(registry),
  };
}

function faultMetrics(registry: Registry): Pick<OperationMetrics, 'faultOccurred'> {
  const faults = counter(
    registry,
    'faults_total',
    'Faults, by code (docs/errors.md) and by who can mend them.',
    ['code', 'kind'],
  );
  const codeLabel = boundedLabel(maxFaultCodes, codePattern);
  return {
    faultOccurred: (code, kind) => {
      faults.inc({ code: codeLabel(code), kind });
    },
  };
}

function queueMetrics(registry: Registry): Pick<OperationMetrics, 'keyRetried' | 'watchQueue'> {
  const retries = counter(registry, 'queue_retries_total', 'Keys put back to be tried again.', []);
  return {
    keyRetried: () => {
      retries.inc();
    },
    watchQueue: (read) => {
      readGauge(registry, 'queue_depth', 'Keys that wait.', () => read().waiting);
      readGauge(registry, 'queue_in_work', 'Keys in work.', () => read().inWork);
      readGauge(
        registry,
        'queue_oldest_age_seconds',
        'Age of the key that has waited longest.',
        () => read().oldestAgeSeconds,
      );
    },
  };
}

function informerMetrics(registry: Registry): Pick<OperationMetrics, 'watchInformers'> {
  return {
    watchInformers: (read) => {
      new Gauge({
        name: 'chainwright_informer_last_sync_timestamp_seconds',
        help: 'When the API server was last heard of, by resource.',
        labelNames: ['resource'],
        registers: [registry],
        collect() {
          this.reset();
          for (const { resource, heardAt } of read()) this.set({ resource }, heardAt.getTime() / 1000);
        },
      });
      new Counter({
        name: 'chainwright_informer_relists_total',
        help: 'Complete lists, by resource; the first one counts.',
        labelNames: ['resource'],
        registers: [registry],
        collect() {
          this.reset();
          for (const { resource, lists } of read()) this.inc({ resource }, lists);
        },
      });
    },
  };
}

function gelfMetrics(registry: Registry): Pick<OperationMetrics, 'watchGelf'> {
  return {
    watchGelf: (read) => {
      new Counter({
        name: 'chainwright_gelf_messages_total',
        help: 'Log lines for Graylog, by what became of them.',
        labelNames: ['result'],
        registers: [registry],
        collect() {
          const { sent, dropped } = read();
          this.reset();
          this.inc({ result: 'sent' }, sent);
          this.inc({ result: 'dropped' }, dropped);
        },
      });
      readGauge(registry, 'gelf_queue_depth', 'Log lines that wait for Graylog.', () => read().waiting);
    },
  };
}
