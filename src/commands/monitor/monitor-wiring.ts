import { KubeClient } from '../../kube/kube-client.ts';
import type { Clock } from '../../model/clock.ts';
import type { Log } from '../../model/log.ts';
import { IntentMemory } from '../../monitor/intent-memory.ts';
import { IntentWatch, noIntents } from '../../monitor/intent-watch.ts';
import type { IntentSource } from '../../monitor/intent-watch.ts';
import { LogMonitor } from '../../monitor/log-monitor.ts';
import { StateFile } from '../../monitor/state-file.ts';
import type { StateStore } from '../../monitor/state-file.ts';
import type { WatchedSigners } from '../../monitor/watched-signers.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { logKeysOf } from '../../signing/trust-root.ts';
import type { TrustedLogKey } from '../../signing/trust-root.ts';
import type { MonitorMetrics } from '../../telemetry/monitor-metrics.ts';
import { RekorV1Reader } from '../../transparency/rekor-v1-reader.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { hostTrustOf } from '../wiring/attestation.ts';
import { openCluster } from '../wiring/cluster.ts';
import type { Environment } from '../wiring/cluster.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { untilAvailable } from '../wiring/startup.ts';
import { openTrustRoot } from '../wiring/trust.ts';
import type { MonitorFlags } from './monitor-flags.ts';

/** What a monitor is made of. */
export interface MonitorWiring {
  readonly flags: MonitorFlags;
  readonly settings: Settings;
  readonly signers: WatchedSigners;
  readonly environment: Environment;
  readonly metrics: MonitorMetrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly closing: AsyncDisposableStack;
}

const withoutFile: StateStore = { load: () => Promise.resolve(undefined), save: () => Promise.resolve() };

/** Connects the parts of a monitor. Throws ERR_USAGE_FLAGS, ERR_TRUST_ROOT, ERR_KUBE_CONFIG, ERR_MONITOR_STATE. */
export async function createMonitor(
  wiring: MonitorWiring,
): Promise<{ readonly monitor: LogMonitor; readonly source: IntentSource }> {
  const { flags, settings, signers, environment, metrics, clock, log, signal, closing } = wiring;
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
  const monitor = new LogMonitor({
    reader: new RekorV1Reader({ url, dispatcher: dispatchers.for(new URL(url).host), clock, keys }),
    settings: {
      startIndex: flags.startIndex,
      graceMs: flags.grace,
      intervalMs: flags.interval,
      unreachableMs: flags.unreachableAfter,
    },
    ...{ signers, intents, source, earlier, store, metrics, clock, log },
  });
  return { monitor, source };
}

async function openIntents(wiring: MonitorWiring, memory: IntentMemory): Promise<IntentSource> {
  const { environment, clock, log, signal, closing } = wiring;
  const access = await openCluster(environment, clock, { signal });
  const client = closing.use(new KubeClient({ access, clock }));
  return new IntentWatch({ client, memory, clock, log });
}

/** Key ids of this log; those of others in the trust root would have their indexes looked for here. */
function idsOfLog(url: string, keys: readonly TrustedLogKey[]): readonly string[] {
  const { host } = new URL(url);
  const named = keys.filter(({ baseUrl }) => URL.canParse(baseUrl) && new URL(baseUrl).host === host);
  if (named.length > 0) return named.map(({ logId }) => logId);
  return keys.length === 1 ? keys.map(({ logId }) => logId) : [];
}
