import { createHmac, hash } from 'node:crypto';
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { backOffMs } from '../model/back-off.ts';
import { readBounded } from '../model/bounded-body.ts';
import type { Clock } from '../model/clock.ts';
import { AppError, fromHttpFault, isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { LogMonitorSpec } from '../settings/log-monitor-schema.ts';
import type { MonitorMetrics } from '../telemetry/monitor-metrics.ts';
import type { AlarmBook, RaisedAlarm } from './alarm-book.ts';

/** Who is called for each alarm. */
export type ReceiverSpec = NonNullable<LogMonitorSpec['webhook']>;

/** Gives the text under a key of a Secret in the monitor's namespace. Throws ERR_KUBE_*, ERR_MONITOR_SECRET. */
export type ReadSecret = (
  ref: { readonly name: string; readonly key: string },
  options: { readonly signal: AbortSignal },
) => Promise<string>;

/** What an {@link AlarmReceiver} is made of. */
export interface AlarmReceiverParts {
  readonly spec: ReceiverSpec;
  /** Name and UID of the LogMonitor. */
  readonly monitor: { readonly name: string; readonly uid: string };
  readonly book: AlarmBook;
  readonly readSecret: ReadSecret;
  readonly dispatcher: Dispatcher;
  readonly metrics: Pick<MonitorMetrics, 'receiverCalled' | 'undelivered'>;
  /** Told when something changed that the status shows. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Numbers in [0, 1); `Math.random` if absent. */
  readonly random?: () => number;
}

const deadlineMs = 10_000;
const maxAnswerBytes = 64 * 1024;
const pauses = { baseMs: 1000, capMs: 300_000 };
// Who was away for a day looks at the log and at the object.
const maxAgeMs = 24 * 3_600_000;
const signatureHeader = 'x-chainwright-signature';
const timeHeader = 'x-chainwright-timestamp';

/**
 * Calls the receiver of a LogMonitor for each alarm, in order and one at a time, again and again until it takes it or a day has
 * passed. An alarm may come twice, with the same `id`.
 */
export class AlarmReceiver {
  readonly #parts: AlarmReceiverParts;
  #news = Promise.withResolvers<undefined>();
  #fault: string | undefined;

  constructor(parts: AlarmReceiverParts) {
    this.#parts = parts;
  }

  /** Why the receiver does not have the oldest alarm yet, if it was tried. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Tells that the book has something new. */
  wake(): void {
    this.#news.resolve(undefined);
  }

  /** Delivers until `signal` aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { book, clock, metrics, random = Math.random } = this.#parts;
    let failures = 0;
    while (!signal.aborted) {
      const { undelivered } = book.toStored();
      metrics.undelivered(undelivered.length);
      const [alarm] = undelivered;
      if (alarm === undefined) {
        await this.#wait(signal);
        continue;
      }
      failures = (await this.#deliver(alarm, signal)) ? 0 : failures + 1;
      if (failures > 0) await clock.sleep(backOffMs(failures, pauses, random), signal).catch(() => undefined);
    }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const isOver = new AbortController();
    const either = AbortSignal.any([signal, isOver.signal]);
    await Promise.race([
      this.#news.promise,
      this.#parts.clock.sleep(Infinity, either).catch(() => undefined),
    ]);
    isOver.abort();
    this.#news = Promise.withResolvers();
  }

  /** True if the alarm needs no further try. */
  async #deliver(alarm: RaisedAlarm, signal: AbortSignal): Promise<boolean> {
    const { book, clock, metrics, onChange } = this.#parts;
    if (clock.now().getTime() - Date.parse(alarm.raisedAt) > maxAgeMs) {
      book.settle(alarm, 'dropped');
      metrics.receiverCalled('dropped');
      onChange();
      return true;
    }
    try {
      await this.#call(alarm, signal);
      book.settle(alarm, 'delivered');
      metrics.receiverCalled('delivered');
      this.#note(undefined);
      return true;
    } catch (error) {
      if (signal.aborted) return true;
      metrics.receiverCalled('failed');
      this.#note(error);
      return false;
    }
  }

  #note(error: unknown): void {
    const { log, onChange } = this.#parts;
    const fault = error === undefined ? undefined : messageOf(error);
    if (fault !== undefined && fault !== this.#fault) {
      log.warn('an alarm was not delivered', {
        code: isAppError(error) ? error.code : undefined,
        error: fault,
      });
    }
    this.#fault = fault;
    onChange();
  }

  async #call(alarm: RaisedAlarm, signal: AbortSignal): Promise<void> {
    const { spec, dispatcher } = this.#parts;
    const body = JSON.stringify(bodyOf(this.#parts, alarm));
    const headers = await this.#headersOf(body, signal);
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
    let status: number;
    try {
      // Not followed to where an answer points: only the object says who gets alarms.
      const answer = await request(spec.url, { method: 'POST', headers, body, dispatcher, signal: bounded });
      status = answer.statusCode;
      const limit = { maxBytes: maxAnswerBytes, code: 'ERR_MONITOR_RECEIVER', object: spec.url };
      await readBounded(answer.body, limit);
    } catch (error) {
      signal.throwIfAborted();
      throw fromHttpFault(error, 'ERR_MONITOR_RECEIVER', spec.url);
    }
    if (status >= 200 && status < 300) return;
    throw refused(spec.url, `it answered with HTTP ${status}`);
  }

  async #headersOf(body: string, signal: AbortSignal): Promise<Record<string, string>> {
    const { spec, readSecret, clock } = this.#parts;
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (spec.header !== undefined) {
      headers[spec.header.name] = (await readSecret(spec.header.secretRef, { signal })).trim();
    }
    if (spec.hmac !== undefined) {
      const key = await readSecret(spec.hmac.secretRef, { signal });
      const time = String(Math.floor(clock.now().getTime() / 1000));
      headers[timeHeader] = time;
      headers[signatureHeader] =
        `sha256=${createHmac('sha256', key).update(`${time}.${body}`).digest('hex')}`;
    }
    return headers;
  }
}

/** What is posted; the same alarm has the same `id`, also after a restart. */
function bodyOf(
  { monitor, book }: Pick<AlarmReceiverParts, 'monitor' | 'book'>,
  { kind, message, fields, raisedAt }: RaisedAlarm,
): Readonly<Record<string, unknown>> {
  const { count, dropped } = book.toStored();
  const place = fields['logIndex'] ?? raisedAt;
  return {
    id: hash('sha256', JSON.stringify([monitor.uid, kind, place, fields['keyFingerprint']])).slice(0, 32),
    logMonitor: monitor.name,
    alarm: kind,
    summary: message,
    raisedAt,
    details: fields,
    alarms: count,
    dropped,
  };
}

function refused(url: string, why: string): AppError {
  return new AppError('ERR_MONITOR_RECEIVER', `${url} did not take the alarm: ${why}`, {
    kind: 'passing',
    object: url,
    remedy:
      'Check the address and the Secret in spec.webhook of the LogMonitor, and the receiver; this is tried again for a day.',
  });
}
