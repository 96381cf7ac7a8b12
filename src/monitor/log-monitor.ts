import type { Clock } from '../model/clock.ts';
import { AppError, isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { EntryOutcome, MonitorMetrics } from '../telemetry/monitor-metrics.ts';
import type { ListedEntry } from '../transparency/rekor-v1-entry.ts';
import type { RekorV1Reader } from '../transparency/rekor-v1-reader.ts';
import type { Alarm, AlarmKind } from './alarm.ts';
import { EntryJudge } from './entry-judge.ts';
import type { IntentMemory, PromisedEntry } from './intent-memory.ts';
import type { IntentSource } from './intent-watch.ts';
import { beginAt, follow } from './log-follower.ts';
import type { FollowedEntries } from './log-follower.ts';
import type { LogPosition, MonitorState, PendingEntry } from './monitor-state.ts';
import { readEntry } from './read-entry.ts';
import type { StateStore } from './state-file.ts';
import type { WatchedSigners } from './watched-signers.ts';

/** What a {@link LogMonitor} is made of. */
export interface LogMonitorParts {
  readonly reader: Pick<RekorV1Reader, 'url' | 'shards' | 'proveConsistency' | 'readEntries' | 'rangeUpTo'>;
  readonly signers: WatchedSigners;
  readonly intents: IntentMemory;
  readonly source: IntentSource;
  /** State of an earlier run, from which `intents` was made too. */
  readonly earlier: MonitorState | undefined;
  readonly store: Pick<StateStore, 'save'>;
  readonly settings: MonitorSettings;
  readonly metrics: Pick<MonitorMetrics, 'entriesRead' | 'alarmRaised' | 'stands' | 'caughtUp'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** How a monitor goes about it. */
export interface MonitorSettings {
  /** Where watching begins without earlier state; undefined: at the end of the log. */
  readonly startIndex: number | undefined;
  /** How long an entry may be unexplained before that is an alarm. */
  readonly graceMs: number;
  /** Pause between passes. */
  readonly intervalMs: number;
  /** How long the log may be unreadable before that is an alarm. */
  readonly unreachableMs: number;
}

interface CallOptions {
  readonly signal: AbortSignal;
}

const alarmOfCode = new Map<string, AlarmKind>([
  ['ERR_LOG_CONSISTENCY', 'LogForked'],
  ['ERR_MONITOR_SHRANK', 'LogShrank'],
  ['ERR_LOG_ENTRY_MISSING', 'EntryMissing'],
]);

/**
 * Reads a log to its end again and again, and raises an alarm for each entry in our name that no record of our
 * controller explains, and for a log that is not append-only. What was read is stored only after it was judged: after a
 * crash an alarm may be raised twice, but none is lost.
 */
export class LogMonitor {
  readonly #parts: LogMonitorParts;
  readonly #judge: EntryJudge;
  readonly #raised: Set<AlarmKind>;
  #position: LogPosition | undefined;
  #since: number;
  #readableAtMs: number;
  #alarms = 0;
  #isCaughtUp = false;

  constructor(parts: LogMonitorParts) {
    const { earlier, reader, signers, intents, clock } = parts;
    this.#parts = parts;
    this.#judge = new EntryJudge({ log: reader.url, signers, intents, pending: earlier?.pending ?? [] });
    this.#raised = new Set(earlier?.raised);
    this.#position = earlier?.position;
    this.#since = earlier?.since ?? 0;
    this.#readableAtMs = clock.now().getTime();
  }

  /** Alarms raised so far. */
  get alarms(): number {
    return this.#alarms;
  }

  /** Why nobody should rely on it yet, if there is a reason. */
  findUnready(): string | undefined {
    return this.#isCaughtUp ? undefined : 'the log was not read to its end yet';
  }

  /** Passes over the log, with pauses, until `signal` aborts. Throws ERR_MONITOR_STATE_FILE. */
  async run({ signal }: CallOptions): Promise<void> {
    const { settings, clock, log } = this.#parts;
    while (!signal.aborted) {
      const fault = await this.pass({ signal, graceMs: settings.graceMs });
      if (fault !== undefined) log.warn('the log was not read to its end', describe(fault));
      await clock.sleep(settings.intervalMs, signal).catch(() => undefined);
    }
  }

  /**
   * Reads the log to its end and raises the alarms that are due. Gives the fault that kept it from that, if there was
   * one. Throws ERR_MONITOR_STATE_FILE, and the signal's reason.
   */
  async pass({ signal, graceMs }: CallOptions & { readonly graceMs: number }): Promise<AppError | undefined> {
    const { clock, metrics } = this.#parts;
    try {
      await this.#readOn({ signal });
      this.#readableAtMs = clock.now().getTime();
      this.#raised.clear();
      this.#isCaughtUp = true;
      metrics.caughtUp(clock.now());
      await this.#raiseDue(graceMs, { signal });
      await this.#raiseUnkept({ signal });
      await this.#save();
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (!isAppError(error) || error.code === 'ERR_MONITOR_STATE_FILE') throw error;
      this.#raiseForFault(error);
      await this.#save();
      return error;
    }
  }

  async #readOn(options: CallOptions): Promise<void> {
    const { reader, settings } = this.#parts;
    if (this.#position === undefined) {
      this.#position = await beginAt(reader, settings.startIndex, options);
      this.#since = indexAfter(this.#position);
    }
    for await (const step of follow(reader, this.#position, options)) {
      this.#judgeAll(step);
      this.#position = step.position;
      if (this.#judge.isFull) await this.#raiseDue(settings.graceMs, options);
      await this.#save();
    }
  }

  #judgeAll({ entries, position, behind }: FollowedEntries): void {
    const { clock, metrics } = this.#parts;
    const counts = new Map<EntryOutcome, number>();
    const readAtMs = clock.now().getTime();
    for (const entry of entries) {
      const outcome = this.#judge.judge(readEntry(entry), readAtMs);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    for (const [outcome, count] of counts) metrics.entriesRead(outcome, count);
    metrics.stands({ nextIndex: indexAfter(position), behind, pending: this.#judge.pending.length });
  }

  async #raiseDue(graceMs: number, options: CallOptions): Promise<void> {
    const beforeMs = this.#parts.clock.now().getTime() - graceMs;
    const suspects = new Set(this.#judge.due(beforeMs));
    if (suspects.size > 0) {
      // A record is written before its entry, so one that this list does not have was never written.
      await this.#parts.source.refresh(options);
      const condemned: readonly PendingEntry[] = this.#judge
        .due(beforeMs)
        .filter((entry) => suspects.has(entry));
      for (const alarm of this.#judge.condemn(condemned)) this.#raise(alarm);
    }
  }

  /** Entries that the log took from us by its own word, and that were not among those read. */
  async #raiseUnkept(options: CallOptions): Promise<void> {
    const { intents, reader } = this.#parts;
    const end = this.#position === undefined ? 0 : indexAfter(this.#position);
    for (const promised of intents.unkept(end)) {
      // What lies before the first index that was read is not for us; what was read before its record came is looked up.
      const isKept = promised.logIndex < this.#since || (await this.#isKept(promised, options));
      if (!isKept) this.#raise(missing(reader.url, promised));
      intents.settle(promised);
    }
  }

  async #isKept(
    { logIndex, payloadDigest, keyFingerprints }: PromisedEntry,
    options: CallOptions,
  ): Promise<boolean> {
    const listed = await this.#findEntry(logIndex, options);
    if (listed === undefined) return false;
    const entry = readEntry(listed);
    return (
      entry.payloadDigest === payloadDigest &&
      entry.verifiers.some(({ fingerprint }) => keyFingerprints.includes(fingerprint))
    );
  }

  async #findEntry(logIndex: number, options: CallOptions): Promise<ListedEntry | undefined> {
    try {
      return (await this.#parts.reader.readEntries(logIndex, 1, options))[0];
    } catch (error) {
      if (isAppError(error) && error.code === 'ERR_LOG_ENTRY_MISSING') return undefined;
      throw error;
    }
  }

  #raiseForFault(fault: AppError): void {
    const { clock, settings, reader } = this.#parts;
    const silentMs = clock.now().getTime() - this.#readableAtMs;
    const kind = alarmOfCode.get(fault.code) ?? 'LogUnreachable';
    if (kind === 'LogUnreachable' && silentMs < settings.unreachableMs) return;
    if (this.#raised.has(kind)) return;
    this.#raised.add(kind);
    this.#raise({ kind, message: fault.message, fields: { log: reader.url, ...describe(fault) } });
  }

  #raise({ kind, message, fields }: Alarm): void {
    this.#alarms += 1;
    this.#parts.metrics.alarmRaised(kind);
    this.#parts.log.error('alarm', { alarm: kind, summary: message, ...fields });
  }

  async #save(): Promise<void> {
    if (this.#position === undefined) return;
    await this.#parts.store.save({
      since: this.#since,
      position: this.#position,
      pending: this.#judge.pending,
      intents: this.#parts.intents.toStored(),
      raised: [...this.#raised],
    });
  }
}

function indexAfter({ firstIndex, range }: LogPosition): number {
  return firstIndex + Number(range.size);
}

function missing(log: string, { logIndex, payloadDigest, record, subject }: PromisedEntry): Alarm {
  return {
    kind: 'EntryMissing',
    message: 'the log took an entry of ours, and something else stands in its place',
    fields: { log, logIndex, payloadDigest, record, subject },
  };
}

function describe(fault: AppError): Record<string, string> {
  return { code: fault.code, error: messageOf(fault) };
}
