import { KubeClient } from '../../kube/kube-client.ts';
import type { Clock } from '../../model/clock.ts';
import type { AppError } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import type { Alarm } from '../../monitor/alarm.ts';
import { AlarmBook } from '../../monitor/alarm-book.ts';
import { originByTrustRoot } from '../../monitor/certificate-origin.ts';
import { IntentMemory } from '../../monitor/intent-memory.ts';
import { IntentWatch, noIntents } from '../../monitor/intent-watch.ts';
import type { IntentSource } from '../../monitor/intent-watch.ts';
import { LogMonitor } from '../../monitor/log-monitor.ts';
import { idsOfLog, openLogReader } from '../../monitor/open-log.ts';
import { StateFile } from '../../monitor/state-file.ts';
import type { StateStore } from '../../monitor/state-file.ts';
import type { WatchedSigners } from '../../monitor/watched-signers.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { logKeysOf } from '../../signing/trust-root.ts';
import type { MonitorMetricsPage } from '../../telemetry/monitor-metrics.ts';
import { startHealthServer } from '../../telemetry/health-server.ts';
import { exitCodes } from '../exit-code.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { hostTrustOf } from '../wiring/attestation.ts';
import { openCluster } from '../wiring/cluster.ts';
import type { Environment } from '../wiring/cluster.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { untilAvailable } from '../wiring/startup.ts';
import { openTrustRoot } from '../wiring/trust.ts';
import { packageVersion } from '../wiring/version.ts';
import type { MonitorFlags } from './monitor-flags.ts';

/** What a monitor is made of that flags describe. */
export interface MonitorWiring {
  readonly flags: MonitorFlags;
  readonly settings: Settings;
  readonly signers: WatchedSigners;
  readonly environment: Environment;
  readonly metrics: MonitorMetricsPage;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly closing: AsyncDisposableStack;
}

const withoutFile: StateStore = { load: () => Promise.resolve(undefined), save: () => Promise.resolve() };

/**
 * Follows the log that the flags describe until the signal aborts, or to its end. Throws ERR_USAGE_FLAGS, ERR_TRUST_ROOT,
 * ERR_KUBE_CONFIG, ERR_MONITOR_STATE.
 */
export async function runFlagMonitor(wiring: MonitorWiring): Promise<void> {
  const { flags, settings, metrics, clock, log, signal, closing } = wiring;
  let alarms = 0;
  const onAlarm = (): void => {
    alarms += 1;
  };
  const { monitor, source } = await createMonitor({ ...wiring, onAlarm });
  if (flags.once === true) {
    const startedAtMs = clock.now().getTime();
    const fault = await passOnce(monitor, source, signal);
    const durationMs = clock.now().getTime() - startedAtMs;
    if (alarms > 0) process.exitCode = exitCodes.checkFailed;
    else if (fault !== undefined) throw fault;
    const { entriesRead: entries } = monitor;
    log.info('the log was looked through', { log: settings.log.url, alarms, entries, durationMs });
    return;
  }
  closing.use(
    await startHealthServer({
      address: settings.telemetry.metricsAddress,
      live: {},
      ready: { log: () => monitor.findUnready() },
      metrics,
    }),
  );
  log.info('started', { version: packageVersion(), log: settings.log.url });
  await runBoth(monitor, source, signal);
  log.info('stopped', {});
}

/** Records are listed after the entries were read: there is nothing to wait for. */
async function passOnce(
  monitor: LogMonitor,
  source: IntentSource,
  signal: AbortSignal,
): Promise<AppError | undefined> {
  await source.refresh({ signal });
  return monitor.pass({ signal, graceMs: 0 });
}

/** When one of them fails, so does the other. */
async function runBoth(monitor: LogMonitor, source: IntentSource, signal: AbortSignal): Promise<void> {
  const failing = new AbortController();
  const either = AbortSignal.any([signal, failing.signal]);
  await Promise.all(
    [monitor, source].map(async (part) => {
      try {
        await part.run({ signal: either });
      } catch (error) {
        failing.abort(error);
        if (!signal.aborted) throw error;
      }
    }),
  );
}

async function createMonitor(
  wiring: MonitorWiring & { readonly onAlarm: (alarm: Alarm) => void },
): Promise<{ readonly monitor: LogMonitor; readonly source: IntentSource }> {
  const { flags, settings, signers, environment, metrics, onAlarm, clock, log, signal, closing } = wiring;
  const { url } = settings.log;
  const trustRoot = await untilAvailable(() => openTrustRoot(settings, { signal }), { signal, clock, log });
  if (trustRoot === undefined) {
    throw usageFault('there is no trust root with the key of the log', 'Give --trusted-root.');
  }
  const keys = logKeysOf(trustRoot);
  const dispatchers = closing.use(
    await Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) }),
  );
  const store = flags.state === undefined ? withoutFile : new StateFile(flags.state, url);
  const earlier = await store.load();
  const intents = new IntentMemory(idsOfLog(url, keys), earlier?.intents);
  const source = flags.cluster ? await openIntents(wiring, intents) : noIntents;
  const reader = openLogReader(flags.logApiVersion === '2' ? 2 : 1, {
    url,
    dispatcher: dispatchers.for(new URL(url).host),
    clock,
    keys,
  });
  const monitor = new LogMonitor({
    reader,
    settings: {
      startIndex: flags.startIndex,
      graceMs: flags.grace,
      missingMs: flags.missingAfter,
      auditEntries: flags.once === true ? 0 : reader.entriesPerAudit,
      intervalMs: flags.interval,
      unreachableMs: flags.unreachableAfter,
    },
    origin: originByTrustRoot(trustRoot),
    book: new AlarmBook(earlier?.alarms),
    ...{ signers, intents, source, earlier, store, metrics: metrics.of(''), onAlarm, clock, log },
  });
  return { monitor, source };
}

async function openIntents(wiring: MonitorWiring, memory: IntentMemory): Promise<IntentSource> {
  const { environment, metrics, clock, log, signal, closing } = wiring;
  const access = await openCluster(environment, clock, { signal });
  const client = closing.use(new KubeClient({ access, clock }));
  metrics.watchInformers(() => client.informers.sightings());
  return new IntentWatch({ client, memory, clock, log });
}
