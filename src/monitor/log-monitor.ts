import type { Clock } from '../model/clock.ts';
import { AppError, isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { EntryOutcome, MonitorMetrics } from '../telemetry/monitor-metrics.ts';
import type { LogReader } from '../transparency/log-reader.ts';
import { describeEntry } from './alarm.ts';
import type { Alarm, AlarmKind } from './alarm.ts';
import { EntryJudge } from './entry-judge.ts';
import type { AlarmBook } from './alarm-book.ts';
import type { CertificateOrigin } from './certificate-origin.ts';
import type { IntentMemory } from './intent-memory.ts';
import type { IntentSource } from './intent-watch.ts';
import { LogAudit } from './log-audit.ts';
import { beginAt, follow } from './log-follower.ts';
import type { FollowedEntries } from './log-follower.ts';
import type { LogPosition, MonitorState, PendingEntry } from './monitor-state.ts';
import { readEntry } from './read-entry.ts';
import type { ReadEntry } from './read-entry.ts';
import type { StateStore } from './state-file.ts';
import { unkeptPromises } from './unkept-promises.ts';
import { isWatched } from './watched-signers.ts';
import type { WatchedSigners } from './watched-signers.ts';

/** What a {@link LogMonitor} is made of. */
export interface LogMonitorParts {
  readonly reader: LogReader;
  readonly signers: WatchedSigners;
  readonly origin: CertificateOrigin;
  readonly intents: IntentMemory;
  readonly source: Pick<IntentSource, 'refresh'>;
  /** State of an earlier run, from which `intents` was made too. */
  readonly earlier: MonitorState | undefined;
  readonly store: Pick<StateStore, 'save'>;
  readonly book: AlarmBook;
  /** Told of each alarm besides the log, the metrics and the book. */
  readonly onAlarm?: (alarm: Alarm) => void;
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
  /** How many entries may wait for their record; 10,000 if absent. */
  readonly maxPending?: number;
  /** How many entries are read again with each pass, in turn from the beginning of the log; 0: none. */
  readonly auditEntries: number;
  /** Pause between passes. */
  readonly intervalMs: number;
  /** How long an entry that the log took may be beyond its end before that is an alarm. */
  readonly missingMs: number;
  /** How long the log may be unreadable before that is an alarm. */
  readonly unreachableMs: number;
}

/** How far a monitor is. */
export interface MonitorStanding {
  /** Undefined before the first look at the log. */
  readonly position: LogPosition | undefined;
  /** Entries still to be read. */
  readonly behind: number | undefined;
  /** Entries in our name that nothing explains so far. */
  readonly pending: number;
  readonly caughtUpAt: Date | undefined;
  /** Alarms about the log itself that hold. */
  readonly raised: readonly AlarmKind[];
}

interface CallOptions {
  readonly signal: AbortSignal;
}

const maxForgedTold = 20;

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
  readonly #audit: LogAudit;
  #forgedTold = 0;
  #listedAtMs = -Infinity;
  #entriesRead = 0;
  #behind: number | undefined;
  #caughtUpAt: Date | undefined;

  constructor(parts: LogMonitorParts) {
    const { earlier, reader, signers, origin, intents, clock } = parts;
    this.#parts = parts;
    const pending = earlier?.pending ?? [];
    const { maxPending } = parts.settings;
    this.#judge = new EntryJudge({ log: reader.url, signers, origin, intents, pending, maxPending });
    this.#raised = new Set(earlier?.raised);
    this.#position = earlier?.position;
    this.#since = earlier?.since ?? 0;
    this.#readableAtMs = clock.now().getTime();
    this.#audit = new LogAudit(reader, parts.settings.auditEntries);
  }

  /** Entries read and judged so far. */
  get entriesRead(): number {
    return this.#entriesRead;
  }

  /** How far it is, to be told. */
  get standing(): MonitorStanding {
    return {
      position: this.#position,
      behind: this.#behind,
      pending: this.#judge.pending.length,
      caughtUpAt: this.#caughtUpAt,
      raised: [...this.#raised],
    };
  }

  /** All that a monitor has to know that goes on from here; undefined before the first look at the log. */
  get state(): MonitorState | undefined {
    if (this.#position === undefined) return undefined;
    return {
      since: this.#since,
      position: this.#position,
      pending: this.#judge.pending,
      intents: this.#parts.intents.toStored(),
      raised: [...this.#raised],
      alarms: this.#parts.book.toStored(),
    };
  }

  /** Why nobody should rely on it yet, if there is a reason. */
  findUnready(): string | undefined {
    return this.#caughtUpAt === undefined ? 'the log was not read to its end yet' : undefined;
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
   * Reads the log to its end and raises the alarms that are due, also when a fault keeps it from the end; gives that
   * fault. Throws ERR_MONITOR_STATE_FILE, ERR_MONITOR_STATE_LOST, and the signal's reason.
   */
  async pass({ signal, graceMs }: CallOptions & { readonly graceMs: number }): Promise<AppError | undefined> {
    const { clock, metrics } = this.#parts;
    this.#forgedTold = 0;
    try {
      await this.#readOn(graceMs, { signal });
      this.#caughtUpAt = clock.now();
      metrics.caughtUp(this.#caughtUpAt);
      await this.#raiseDue(graceMs, { signal });
      await this.#raiseUnkept({ signal });
      if (this.#position !== undefined) await this.#audit.step(this.#position, { signal });
      this.#readableAtMs = clock.now().getTime();
      this.#raised.clear();
      await this.#save();
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (!isAppError(error) || error.code.startsWith('ERR_MONITOR_STATE')) throw error;
      this.#raiseForFault(error);
      // A log that is never read to its end must not silence what was found before.
      if (!isOfCluster(error)) await this.#raiseIfListed(graceMs, { signal });
      await this.#save();
      return error;
    }
  }

  async #readOn(graceMs: number, options: CallOptions): Promise<void> {
    const { reader, settings } = this.#parts;
    if (this.#position === undefined) {
      this.#position = await beginAt(reader, settings.startIndex, options);
      this.#since = indexAfter(this.#position);
    }
    for await (const step of follow(reader, this.#position, options)) {
      await this.#judgeAll(step);
      this.#position = step.position;
      if (this.#judge.isFull) await this.#raiseDue(graceMs, options);
      else if (this.#isListingDue()) await this.#raiseIfListed(graceMs, options);
      await this.#save();
    }
  }

  async #judgeAll({ entries, position, behind }: FollowedEntries): Promise<void> {
    const { clock, metrics } = this.#parts;
    this.#behind = behind;
    this.#entriesRead += entries.length;
    const counts = new Map<EntryOutcome, number>();
    const readAtMs = clock.now().getTime();
    for (const listed of entries) {
      const entry = await readEntry(listed);
      const outcome = this.#judge.judge(entry, readAtMs);
      if (outcome === 'forged') this.#tellForged(entry);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    for (const [outcome, count] of counts) metrics.entriesRead(outcome, count);
    metrics.stands({ nextIndex: indexAfter(position), behind, pending: this.#judge.pending.length });
  }

  /** Anybody can make a log grow by these: what is told of them is bounded, the rest is counted. */
  #tellForged(entry: ReadEntry): void {
    const { book, log, reader, signers } = this.#parts;
    book.noteForged();
    if (this.#forgedTold >= maxForgedTold) return;
    this.#forgedTold += 1;
    const named = entry.verifiers.filter((verifier) => isWatched(signers, verifier));
    log.warn('the log has a certificate in our name that our authority did not issue', {
      ...describeEntry(reader.url, entry, named),
    });
  }

  async #raiseDue(graceMs: number, options: CallOptions): Promise<void> {
    const { clock, intents, source } = this.#parts;
    const beforeMs = clock.now().getTime() - graceMs;
    const suspects = new Set(this.#judge.due(beforeMs));
    if (suspects.size > 0) {
      this.#listedAtMs = clock.now().getTime();
      intents.seek([...suspects]);
      // A record is written before its entry, so one that this list does not have was never written.
      await source.refresh(options);
      const condemned: readonly PendingEntry[] = this.#judge
        .due(beforeMs)
        .filter((entry) => suspects.has(entry));
      for (const alarm of this.#judge.condemn(condemned)) this.#raise(alarm);
    }
  }

  /** Records that cannot be listed now are listed later: no reason to read no further. */
  async #raiseIfListed(graceMs: number, options: CallOptions): Promise<void> {
    try {
      await this.#raiseDue(graceMs, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isAppError(error)) throw error;
      this.#parts.log.warn('records cannot be listed, alarms wait', describe(error));
    }
  }

  /** Listing all records is not for every step of a long log. */
  #isListingDue(): boolean {
    const { clock, settings } = this.#parts;
    return clock.now().getTime() - this.#listedAtMs >= settings.intervalMs;
  }

  async #raiseUnkept({ signal }: CallOptions): Promise<void> {
    const { clock, intents, reader, settings } = this.#parts;
    const end = this.#position === undefined ? 0 : indexAfter(this.#position);
    const nowMs = clock.now().getTime();
    const waiting = { since: this.#since, end, nowMs, patienceMs: settings.missingMs };
    for await (const alarm of unkeptPromises({ reader, intents }, waiting, { signal })) this.#raise(alarm);
  }

  #raiseForFault(fault: AppError): void {
    const { clock, settings, reader } = this.#parts;
    const kind = alarmOfCode.get(fault.code) ?? 'LogUnreachable';
    // A cluster that is away says nothing about the log.
    if (kind === 'LogUnreachable' && !fault.code.startsWith('ERR_LOG_')) return;
    const silentMs = clock.now().getTime() - this.#readableAtMs;
    if (kind === 'LogUnreachable' && silentMs < settings.unreachableMs) return;
    if (this.#raised.has(kind)) return;
    this.#raised.add(kind);
    this.#raise({ kind, message: fault.message, fields: { log: reader.url, ...describe(fault) } });
  }

  #raise(alarm: Alarm): void {
    const { book, clock, log, metrics, onAlarm } = this.#parts;
    const { kind, message, fields } = alarm;
    book.note(alarm, clock.now());
    metrics.alarmRaised(kind);
    log.error('alarm', { alarm: kind, summary: message, ...fields });
    onAlarm?.(alarm);
  }

  async #save(): Promise<void> {
    const { state } = this;
    if (state !== undefined) await this.#parts.store.save(state);
  }
}

/** Index of the entry that is read next from there. */
export function indexAfter({ firstIndex, range }: LogPosition): number {
  return firstIndex + Number(range.size);
}

function isOfCluster({ code }: AppError): boolean {
  return code.startsWith('ERR_KUBE_');
}

function describe(fault: AppError): Record<string, string> {
  return { code: fault.code, error: messageOf(fault) };
}
