import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { counter, openRegistry, operationMetrics } from './operation-metrics.ts';
import type { MetricsPage, OperationMetrics } from './operation-metrics.ts';

/** What became of an entry of the log: somebody else's, one of ours that a record explains, one that none explains yet. */
export type EntryOutcome = 'foreign' | 'explained' | 'pending';

/** What the log monitor reports; every label comes from a closed set. */
export interface MonitorMetrics {
  entriesRead(outcome: EntryOutcome, count: number): void;
  alarmRaised(alarm: string): void;
  /** The next index to be read, and how many entries the log has from there on. */
  stands(at: { readonly nextIndex: number; readonly behind: number; readonly pending: number }): void;
  /** The log was read to its end at this instant. */
  caughtUp(at: Date): void;
}

/** Metrics of the log monitor on a registry of their own. All names are in docs/monitor.md. */
export function createMonitorMetrics(options: {
  readonly version: string;
}): MonitorMetrics & OperationMetrics & MetricsPage {
  const { registry, page } = openRegistry(options);
  const entries = counter(registry, 'monitor_entries_total', 'Log entries read, by what became of them.', [
    'outcome',
  ]);
  const alarms = counter(registry, 'monitor_alarms_total', 'Alarms raised, by kind.', ['alarm']);
  const next = gauge(registry, 'next_index', 'Index of the log entry that is read next.');
  const behind = gauge(registry, 'behind_entries', 'Entries of the log that are still to be read.');
  const pending = gauge(registry, 'pending_entries', 'Entries in our name that no record explains so far.');
  const caughtUp = gauge(
    registry,
    'last_caught_up_timestamp_seconds',
    'When the log was last read to its end.',
  );
  return {
    ...operationMetrics(registry),
    entriesRead: (outcome, count) => {
      entries.inc({ outcome }, count);
    },
    alarmRaised: (alarm) => {
      alarms.inc({ alarm });
    },
    stands: (at) => {
      next.set(at.nextIndex);
      behind.set(at.behind);
      pending.set(at.pending);
    },
    caughtUp: (at) => {
      caughtUp.set(at.getTime() / 1000);
    },
    ...page,
  };
}

function gauge(registry: Registry, name: string, help: string): Gauge {
  return new Gauge({ name: `chainwright_monitor_${name}`, help, registers: [registry] });
}
