import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { openRegistry, operationMetrics, readGauge } from './operation-metrics.ts';
import type { MetricsPage, OperationMetrics } from './operation-metrics.ts';

const entryOutcomes = ['foreign', 'explained', 'pending', 'forged'] as const;

/**
 * What became of an entry of the log: somebody else's, one of ours that a record explains, one that none explains yet, one with
 * a made-up certificate in our name.
 */
export type EntryOutcome = (typeof entryOutcomes)[number];

const deliveryOutcomes = ['delivered', 'failed', 'dropped'] as const;

/** How a call of an alarm's receiver ended; `dropped`: it never will be called for that alarm. */
export type DeliveryOutcome = (typeof deliveryOutcomes)[number];

/** What one log monitor reports; every label comes from a closed set. */
export interface MonitorMetrics {
  entriesRead(outcome: EntryOutcome, count: number): void;
  alarmRaised(alarm: string): void;
  /** The next index to be read, and how many entries the log has from there on. */
  stands(at: { readonly nextIndex: number; readonly behind: number; readonly pending: number }): void;
  /** The log was read to its end at this instant. */
  caughtUp(at: Date): void;
  receiverCalled(outcome: DeliveryOutcome): void;
  /** Alarms that the receiver does not have yet. */
  undelivered(count: number): void;
}

/** The metrics of all log monitors of a process. */
export interface MonitorMetricsPage extends OperationMetrics, MetricsPage {
  /**
   * Those of one; `name` is that of its LogMonitor, or empty for the one that flags describe. Its counters are there from
   * now on, at 0, so that Prometheus sees the first alarm as an increase.
   */
  of(name: string): MonitorMetrics;
  /** Drops those of a LogMonitor that is gone. */
  forget(name: string): void;
  /** `read` is called at each scrape: whether this replica is the one that works. */
  watchActive(read: () => boolean): void;
}

/** Metrics of log monitors on a registry of their own; `alarms` are all kinds of alarms. All names are in docs/monitor.md. */
export function createMonitorMetrics(options: {
  readonly version: string;
  readonly alarms: readonly string[];
}): MonitorMetricsPage {
  const { registry, page } = openRegistry(options);
  const families = familiesOn(registry);
  return {
    ...operationMetrics(registry),
    of: (name) => {
      startAtZero(families, name, options.alarms);
      return metricsOf(families, name);
    },
    forget: (name) => {
      for (const family of Object.values(families)) void dropSeries(family, name);
    },
    watchActive: (read) => {
      const help = 'Whether this replica follows the logs; another one does if not.';
      readGauge(registry, 'monitor_active', help, () => (read() ? 1 : 0));
    },
    ...page,
  };
}

type Families = ReturnType<typeof familiesOn>;

const own = 'logmonitor';

function familiesOn(registry: Registry) {
  const counter = <Label extends string>(name: string, help: string, label: Label) =>
    new Counter({
      name: `chainwright_monitor_${name}`,
      help,
      labelNames: [own, label],
      registers: [registry],
    });
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `chainwright_monitor_${name}`, help, labelNames: [own], registers: [registry] });
  return {
    entries: counter('entries_total', 'Log entries read, by what became of them.', 'outcome'),
    alarms: counter('alarms_total', 'Alarms raised, by kind.', 'alarm'),
    calls: counter('webhook_calls_total', 'Calls for alarms, by how they ended.', 'outcome'),
    next: gauge('next_index', 'Index of the log entry that is read next.'),
    behind: gauge('behind_entries', 'Entries of the log that are still to be read.'),
    pending: gauge('pending_entries', 'Entries in our name that no record explains so far.'),
    caughtUp: gauge('last_caught_up_timestamp_seconds', 'When the log was last read to its end.'),
    undelivered: gauge('undelivered_alarms', 'Alarms that the receiver does not have yet.'),
  };
}

function startAtZero(
  { entries, alarms, calls }: Families,
  logmonitor: string,
  kinds: readonly string[],
): void {
  for (const outcome of entryOutcomes) entries.inc({ logmonitor, outcome }, 0);
  for (const alarm of kinds) alarms.inc({ logmonitor, alarm }, 0);
  for (const outcome of deliveryOutcomes) calls.inc({ logmonitor, outcome }, 0);
}

function metricsOf(families: Families, logmonitor: string): MonitorMetrics {
  const { entries, alarms, calls, next, behind, pending, caughtUp, undelivered } = families;
  return {
    entriesRead: (outcome, count) => {
      entries.inc({ logmonitor, outcome }, count);
    },
    alarmRaised: (alarm) => {
      alarms.inc({ logmonitor, alarm });
    },
    stands: (at) => {
      next.set({ logmonitor }, at.nextIndex);
      behind.set({ logmonitor }, at.behind);
      pending.set({ logmonitor }, at.pending);
    },
    caughtUp: (at) => {
      caughtUp.set({ logmonitor }, at.getTime() / 1000);
    },
    receiverCalled: (outcome) => {
      calls.inc({ logmonitor, outcome });
    },
    undelivered: (count) => {
      undelivered.set({ logmonitor }, count);
    },
  };
}

async function dropSeries(family: Counter | Gauge, logmonitor: string): Promise<void> {
  const { values } = await family.get();
  for (const { labels } of values) {
    if (labels[own] === logmonitor) family.remove(labels);
  }
}
