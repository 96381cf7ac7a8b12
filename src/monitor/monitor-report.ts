import { findCondition, reportStatus } from '../kube/conditions.ts';
import { eventReasons } from '../kube/events.ts';
import type { EventNotice, EventRecorder } from '../kube/events.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { Clock } from '../model/clock.ts';
import { messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import { statusOf, withKept } from './monitor-status.ts';
import type { MonitorFacts } from './monitor-status.ts';

/** What a {@link MonitorReport} is made of. */
export interface MonitorReportParts {
  readonly client: Pick<KubeClient, 'get' | 'apply'>;
  /** The object with its status; undefined once it is gone, or another than the facts are about. */
  readonly find: () => KubeObject | undefined;
  readonly facts: () => MonitorFacts;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly log: Log;
}

interface CallOptions {
  readonly signal: AbortSignal;
}

// A look at a long log takes its time.
const everyMs = 10_000;

/** Says on a LogMonitor how it fares, when there is news and from time to time. */
export class MonitorReport {
  readonly #parts: MonitorReportParts;
  #news = Promise.withResolvers<undefined>();

  constructor(parts: MonitorReportParts) {
    this.#parts = parts;
  }

  /** There is news. */
  wake(): void {
    this.#news.resolve(undefined);
  }

  /** Reports until `signal` aborts. */
  async run({ signal }: CallOptions): Promise<void> {
    const { clock, log } = this.#parts;
    while (!signal.aborted) {
      const isOver = new AbortController();
      const either = AbortSignal.any([signal, isOver.signal]);
      await Promise.race([this.#news.promise, clock.sleep(everyMs, either).catch(() => undefined)]);
      isOver.abort();
      this.#news = Promise.withResolvers();
      await this.#write(signal).catch((error: unknown) => {
        log.debug('the status was not written', { error: messageOf(error) });
      });
    }
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { client, find, facts, clock, events } = this.#parts;
    const object = find();
    if (object === undefined || signal.aborted) return;
    const { findings, fields } = statusOf(facts());
    const details = withKept(fields, isRecord(object['status']) ? object['status'] : {});
    const report = { type: resourceTypes.logMonitors, object, findings, details };
    if (!(await reportStatus(client, report, { clock, signal }))) return;
    for (const { type, status, message } of findings) {
      const notice = noticeOf(type, status);
      if (notice === undefined || findCondition(object, type)?.status === status) continue;
      events.record({ about: object, message, ...notice });
    }
  }
}

/** What becomes an Event when a condition changes; alarms are Events of their own. */
function noticeOf(type: string, status: string): Pick<EventNotice, 'type' | 'reason'> | undefined {
  if (type === 'Ready' && status === 'True') return { type: 'Normal', reason: eventReasons.logFollowed };
  if (type === 'Ready' && status === 'False') return { type: 'Warning', reason: eventReasons.monitorBroken };
  if (type === 'Delivered' && status === 'False') {
    return { type: 'Warning', reason: eventReasons.alarmUndelivered };
  }
  return undefined;
}
