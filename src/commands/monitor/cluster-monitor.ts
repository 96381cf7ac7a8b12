import { EventRecorder } from '../../kube/events.ts';
import { KubeClient } from '../../kube/kube-client.ts';
import { LeaseBuckets } from '../../kube/leases/lease-buckets.ts';
import type { Clock } from '../../model/clock.ts';
import { AppError } from '../../model/errors.ts';
import { IntentMemories } from '../../monitor/intent-memory.ts';
import { IntentWatch } from '../../monitor/intent-watch.ts';
import { MonitorFleet } from '../../monitor/monitor-fleet.ts';
import { MonitorRunner } from '../../monitor/monitor-runner.ts';
import { openReceiverSecrets } from '../../monitor/receiver-secrets.ts';
import { WatchedTrustRoot } from '../../monitor/watched-trust-root.ts';
import { parseTrustRootObject } from '../../policy/trust-root-object.ts';
import { TrustRootSource } from '../../policy/trust-root-source.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';
import { startHealthServer } from '../../telemetry/health-server.ts';
import type { RunningLog } from '../../telemetry/logger.ts';
import type { MonitorMetricsPage } from '../../telemetry/monitor-metrics.ts';
import { hostTrustOf } from '../wiring/attestation.ts';
import { openCluster } from '../wiring/cluster.ts';
import type { Environment } from '../wiring/cluster.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { openTrustRoot } from '../wiring/trust.ts';
import { uniqueIdentity } from '../wiring/replica-identity.ts';
import { packageVersion } from '../wiring/version.ts';

/** What following the LogMonitors of a cluster takes. */
export interface ClusterMonitorWiring {
  /** The monitor's own namespace. */
  readonly namespace: string;
  readonly settings: Settings;
  readonly environment: Environment;
  readonly metrics: MonitorMetricsPage;
  readonly clock: Clock;
  readonly log: RunningLog;
  readonly signal: AbortSignal;
  readonly closing: AsyncDisposableStack;
}

const eventsMs = 2000;
const drainMs = 8000;

/** Follows every LogMonitor of the cluster until the signal aborts; of several replicas one works. */
export async function runClusterMonitor(wiring: ClusterMonitorWiring): Promise<void> {
  const { namespace, settings, environment, metrics, clock, log, signal, closing } = wiring;
  const access = await openCluster(environment, clock, { signal });
  const client = closing.use(new KubeClient({ access, clock }));
  const memories = new IntentMemories();
  const source = new IntentWatch({ client, memory: memories, clock, log });
  const open = await openRunners(wiring, { client, memories, source });
  const fleet = new MonitorFleet({
    ...{ client, open, clock, log },
    onGone: (name) => {
      metrics.forget(name);
    },
  });
  const lease = new LeaseBuckets({
    ...{ client, namespace, group: 'chainwright-monitor', buckets: 1, clock, log, drainMs },
    identity: uniqueIdentity(environment, 'monitor'),
    onGained: (holding) => {
      fleet.lead(holding);
    },
    onLost: () => fleet.rest(),
  });
  metrics.watchActive(() => fleet.isActive);
  metrics.watchInformers(() => client.informers.sightings());
  closing.use(
    await startHealthServer({
      address: settings.telemetry.metricsAddress,
      live: { monitors: () => fleet.findStall() },
      ready: { monitors: () => fleet.findUnready() },
      metrics,
    }),
  );
  log.info('started', { version: packageVersion() });
  await runTogether([fleet, source, lease], signal);
  log.info('stopped', {});
}

/** The lease is handed on while the others still run, so that what they know can be stored. */
async function runTogether(
  [fleet, source, lease]: readonly [MonitorFleet, IntentWatch, LeaseBuckets],
  signal: AbortSignal,
): Promise<void> {
  const ending = new AbortController();
  const failing = new AbortController();
  const watching = [fleet, source].map(async (part) => {
    try {
      await part.run({ signal: ending.signal });
    } finally {
      failing.abort();
    }
  });
  const leading = lease.run({ signal: AbortSignal.any([signal, failing.signal]) }).finally(() => {
    ending.abort();
  });
  await Promise.all([leading, ...watching]);
}

async function openRunners(
  wiring: ClusterMonitorWiring,
  parts: { readonly client: KubeClient; readonly memories: IntentMemories; readonly source: IntentWatch },
): Promise<ConstructorParameters<typeof MonitorFleet>[0]['open']> {
  const { namespace, settings, environment, metrics, clock, log, closing } = wiring;
  const { client } = parts;
  const dispatchers = closing.use(
    await Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) }),
  );
  const events = new EventRecorder({ client, clock, log, component: 'chainwright-monitor' });
  closing.defer(() => events.close({ deadlineMs: eventsMs }));
  const dispatcher = dispatchers.for('');
  const fallback = {
    refresh: (options: { readonly signal: AbortSignal }) => defaultTrustRoot(settings, options),
  };
  const openNamed = (name: string | undefined): WatchedTrustRoot =>
    new WatchedTrustRoot({
      ...{ client, fallback, clock, name: name ?? settings.trustedRoot.trustRootRef },
      openObject: (object) => new TrustRootSource(parseTrustRootObject(object), { dispatcher, clock }),
      resyncMs: settings.webhook.trustRootResyncMs,
    });
  const readSecret = openReceiverSecrets(client, namespace);
  return (object, find) =>
    new MonitorRunner({
      ...{ ...parts, namespace, object, find, openTrustRoot: openNamed, readSecret, events, clock },
      dispatcherFor: (host) => dispatchers.for(host),
      metrics: metrics.of(object.metadata.name),
      log: log.child({ logMonitor: object.metadata.name }),
    });
}

async function defaultTrustRoot(
  settings: Settings,
  options: { readonly signal: AbortSignal },
): Promise<TrustRoot> {
  const trustRoot = await openTrustRoot(settings, options);
  if (trustRoot !== undefined) return trustRoot;
  throw new AppError('ERR_TRUST_ROOT', 'the settings name no trust root', {
    kind: 'permanent',
    remedy: 'Name a TrustRoot in spec.trustRootRef of the LogMonitor, or one in the settings.',
  });
}
