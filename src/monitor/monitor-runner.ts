import type { Dispatcher } from 'undici';
import { eventReasons } from '../kube/events.ts';
import type { EventNotice, EventRecorder } from '../kube/events.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { Clock } from '../model/clock.ts';
import { AppError, isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import { parseLogMonitor } from '../settings/log-monitor-object.ts';
import type { LogMonitorSpec } from '../settings/log-monitor-schema.ts';
import type { MonitorMetrics } from '../telemetry/monitor-metrics.ts';
import { logKeysOf } from '../signing/trust-root.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import type { Alarm, AlarmKind } from './alarm.ts';
import { AlarmBook } from './alarm-book.ts';
import { AlarmReceiver } from './alarm-receiver.ts';
import type { ReadSecret } from './alarm-receiver.ts';
import { originByTrustRoot } from './certificate-origin.ts';
import { ClusterState } from './cluster-state.ts';
import { IntentMemory } from './intent-memory.ts';
import type { IntentMemories } from './intent-memory.ts';
import type { IntentSource } from './intent-watch.ts';
import { LogMonitor } from './log-monitor.ts';
import type { MonitorState } from './monitor-state.ts';
import { MonitorReport } from './monitor-report.ts';
import type { MonitorFacts } from './monitor-status.ts';
import { idsOfLog, openLogReader } from './open-log.ts';
import { signersOfSpec } from './spec-signers.ts';
import { statedProgressOf } from './stated-progress.ts';
import type { StatedProgress } from './stated-progress.ts';
import type { WatchedTrustRoot } from './watched-trust-root.ts';

/** What a {@link MonitorRunner} is made of. */
export interface MonitorRunnerParts {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace' | 'apply'>;
  /** The monitor's own namespace: where its state and the Secrets lie. */
  readonly namespace: string;
  /** The object as it is to be followed. */
  readonly object: KubeObject;
  /** The object as it is now, with its status; undefined once it is gone. */
  readonly find: () => KubeObject | undefined;
  readonly openTrustRoot: (name: string | undefined) => Pick<WatchedTrustRoot, 'current'>;
  readonly memories: IntentMemories;
  readonly source: Pick<IntentSource, 'refresh'>;
  readonly readSecret: ReadSecret;
  readonly dispatcherFor: (host: string) => Dispatcher;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly metrics: MonitorMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

interface CallOptions {
  readonly signal: AbortSignal;
}

const defaults = { intervalMs: 10_000, graceMs: 0, missingMs: 300_000, unreachableMs: 600_000 };
// More entries that wait for their record than this would not fit into a ConfigMap.
const maxPending = 500;
const retryMs = 5000;
const flushMs = 5000;

const eventOf: Readonly<Record<AlarmKind, EventNotice['reason']>> = {
  UnexplainedEntry: eventReasons.unexplainedEntry,
  LogForked: eventReasons.logForked,
  LogShrank: eventReasons.logShrank,
  EntryMissing: eventReasons.entryMissing,
  LogUnreachable: eventReasons.logUnreachable,
};

/**
 * Follows the log of one LogMonitor as one generation of the object describes it: looks at the log again and again, calls the
 * receiver of alarms, and says on the object how it fares. What it knows is stored in the cluster, and whoever runs next
 * goes on from there.
 */
export class MonitorRunner {
  readonly #parts: MonitorRunnerParts;
  readonly #name: string;
  #spec: LogMonitorSpec | undefined;
  #trustRoot: Pick<WatchedTrustRoot, 'current'> | undefined;
  #trusted: TrustRoot | undefined;
  #store: ClusterState | undefined;
  #book = new AlarmBook();
  #receiver: AlarmReceiver | undefined;
  #memory: IntentMemory | undefined;
  #monitor: LogMonitor | undefined;
  #obstacle: AppError | undefined;
  #fault: AppError | undefined;
  readonly #report: MonitorReport;

  constructor(parts: MonitorRunnerParts) {
    this.#parts = parts;
    this.#name = parts.object.metadata.name;
    this.#report = new MonitorReport({
      ...parts,
      find: () => this.#findSame(),
      facts: () => this.#facts(),
    });
  }

  /** Follows until `signal` aborts, then stores what is not stored yet. Never rejects. */
  async run({ signal }: CallOptions): Promise<void> {
    await Promise.all([this.#follow(signal), this.#report.run({ signal })]);
    if (this.#memory !== undefined) this.#parts.memories.remove(this.#memory);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    while (!signal.aborted) {
      let pauseMs = retryMs;
      try {
        await this.#followState(signal);
      } catch (error) {
        const { kind } = this.#noteObstacle(toFault(error, this.#name), signal);
        if (kind === 'permanent') pauseMs = 6 * retryMs;
      }
      this.#report.wake();
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  }

  #noteObstacle(fault: AppError, signal: AbortSignal): AppError {
    if (signal.aborted) return fault;
    const { code, message, kind } = fault;
    this.#obstacle = fault;
    this.#parts.log[kind === 'bug' ? 'error' : 'warn']('the log cannot be followed', {
      code,
      error: message,
    });
    return fault;
  }

  /** Goes on from the stored state, until the signal aborts or somebody else stores another. */
  async #followState(signal: AbortSignal): Promise<void> {
    const { object, client, namespace, clock } = this.#parts;
    const spec = (this.#spec = parseLogMonitor(object, this.#name));
    // Writes outlive the order to stop by a little.
    const writing = new AbortController();
    const store = new ClusterState({
      ...{ client, namespace, owner: object, log: spec.log.url, clock, signal: writing.signal },
    });
    const ending = new AbortController();
    const either = AbortSignal.any([signal, ending.signal]);
    const earlier = await store.load();
    this.#store = store;
    const alarms = earlier?.alarms ?? this.#stated().alarms;
    this.#book = new AlarmBook(alarms, { isDelivered: spec.webhook !== undefined });
    this.#monitor = undefined;
    this.#trusted = undefined;
    this.#trustRoot = this.#parts.openTrustRoot(spec.trustRootRef);
    this.#receiver = this.#openReceiver(spec);
    const delivering = this.#receiver?.run({ signal: either });
    try {
      await this.#look(spec, earlier, either);
    } finally {
      ending.abort();
      await delivering;
      await this.#flush(store, writing);
    }
  }

  async #look(spec: LogMonitorSpec, earlier: MonitorState | undefined, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    const { interval = defaults.intervalMs, grace = defaults.graceMs } = spec;
    while (!signal.aborted) {
      const monitor = await this.#ready(spec, this.#monitor?.state ?? earlier, signal);
      this.#obstacle = undefined;
      const { forged } = this.#book.toStored();
      this.#fault = await monitor.pass({ signal, graceMs: grace });
      if (this.#fault !== undefined) {
        log.warn('the log was not read to its end', { code: this.#fault.code, error: this.#fault.message });
      }
      if (this.#book.toStored().forged > forged) this.#tellForged();
      this.#report.wake();
      await clock.sleep(interval, signal).catch(() => undefined);
    }
  }

  /** The monitor, made anew when what is trusted has changed. */
  async #ready(
    spec: LogMonitorSpec,
    earlier: MonitorState | undefined,
    signal: AbortSignal,
  ): Promise<LogMonitor> {
    const { memories, source } = this.#parts;
    const trusted = await this.#trustRoot?.current({ signal });
    if (trusted === undefined) throw noTrustRoot(this.#name);
    if (this.#monitor !== undefined && this.#trusted?.version === trusted.version) return this.#monitor;
    const { url } = spec.log;
    const memory = new IntentMemory(idsOfLog(url, logKeysOf(trusted)), earlier?.intents);
    const monitor = this.#open(spec, { trusted, memory, earlier });
    if (this.#memory !== undefined) memories.remove(this.#memory);
    memories.add(memory);
    this.#memory = memory;
    await source.refresh({ signal });
    this.#trusted = trusted;
    this.#monitor = monitor;
    return monitor;
  }

  #open(
    spec: LogMonitorSpec,
    {
      trusted,
      memory,
      earlier,
    }: {
      readonly trusted: TrustRoot;
      readonly memory: IntentMemory;
      readonly earlier: MonitorState | undefined;
    },
  ): LogMonitor {
    const { source, metrics, clock, log, dispatcherFor } = this.#parts;
    const { url, apiVersion, startIndex } = spec.log;
    if (this.#store === undefined) throw noTrustRoot(this.#name);
    const reader = openLogReader(apiVersion === 2 ? 2 : 1, {
      ...{ url, clock, dispatcher: dispatcherFor(new URL(url).host) },
      keys: logKeysOf(trusted),
    });
    return new LogMonitor({
      reader,
      settings: {
        // Without what was stored, what the status says leaves nothing out.
        startIndex: this.#stated().nextIndex ?? startIndex,
        intervalMs: spec.interval ?? defaults.intervalMs,
        graceMs: spec.grace ?? defaults.graceMs,
        missingMs: spec.missingAfter ?? defaults.missingMs,
        unreachableMs: spec.unreachableAfter ?? defaults.unreachableMs,
        maxPending,
        auditEntries: reader.entriesPerAudit,
      },
      signers: signersOfSpec(spec, this.#name),
      origin: originByTrustRoot(trusted),
      onAlarm: (alarm) => {
        this.#tell(alarm);
      },
      ...{
        intents: memory,
        source,
        earlier,
        store: this.#store,
      },
      ...{ book: this.#book, metrics, clock, log },
    });
  }

  #openReceiver({ webhook: spec }: LogMonitorSpec): AlarmReceiver | undefined {
    if (spec === undefined) return undefined;
    const { object, readSecret, dispatcherFor, metrics, clock, log } = this.#parts;
    return new AlarmReceiver({
      ...{ spec, book: this.#book, readSecret, metrics, clock, log },
      monitor: { name: this.#name, uid: object.metadata.uid ?? '' },
      dispatcher: dispatcherFor(new URL(spec.url).host),
      onChange: () => {
        this.#report.wake();
      },
    });
  }

  async #flush(store: ClusterState, writing: AbortController): Promise<void> {
    const { clock, log } = this.#parts;
    const { state } = this.#monitor ?? {};
    const isOver = new AbortController();
    const late = clock.sleep(flushMs, isOver.signal).then(
      () => {
        writing.abort();
      },
      () => undefined,
    );
    try {
      if (state !== undefined) await store.save(state);
      await store.flush();
    } catch (error) {
      log.debug('the state was not stored at the end', { error: messageOf(error) });
    } finally {
      isOver.abort();
      await late;
    }
  }

  #tell({ kind, message, fields }: Alarm): void {
    const told = ['logIndex', 'loggedAt', 'payloadDigest', 'identity', 'certificateSha256', 'code', 'error']
      .filter((name) => fields[name] !== undefined)
      .map((name) => `${name} ${String(fields[name])}`);
    const notice = [message, ...told].join('; ');
    const { events, object } = this.#parts;
    events.record({ about: object, type: 'Warning', reason: eventOf[kind], message: notice });
    this.#receiver?.wake();
    this.#report.wake();
  }

  #tellForged(): void {
    const { events, object } = this.#parts;
    const message =
      'the log has certificates in our name that our authority did not issue: see status.forgedCertificates';
    events.record({ about: object, type: 'Warning', reason: eventReasons.forgedCertificate, message });
  }

  /** As the object is now: its status has moved on since this generation of it was begun. */
  #stated(): StatedProgress {
    const { find, object } = this.#parts;
    return statedProgressOf(find() ?? object);
  }

  /** Not a later generation, which its own runner will report on. */
  #findSame(): KubeObject | undefined {
    const { find, object } = this.#parts;
    const now = find();
    return now?.metadata['generation'] === object.metadata['generation'] ? now : undefined;
  }

  #facts(): MonitorFacts {
    return {
      spec: this.#spec,
      obstacle: this.#obstacle,
      fault: this.#fault,
      standing: this.#monitor?.standing,
      alarms: this.#store === undefined ? undefined : this.#book.toStored(),
      receiverFault: this.#receiver?.fault,
      storeFault: this.#store?.fault,
    };
  }
}

function toFault(error: unknown, name: string): AppError {
  if (isAppError(error)) return error;
  return new AppError('ERR_MONITOR_BUG', `LogMonitor ${name}: ${messageOf(error)}`, {
    kind: 'bug',
    object: name,
    remedy: 'Report this with the log.',
    cause: error,
  });
}

function noTrustRoot(name: string): AppError {
  return new AppError('ERR_MONITOR_OBJECT', `LogMonitor ${name} has no trust root with the key of the log`, {
    kind: 'permanent',
    object: name,
    remedy: 'Name a TrustRoot in spec.trustRootRef, or one in the settings of the monitor.',
  });
}
