import { resolve } from 'node:path';
import { Command } from 'commander';
import { EventRecorder } from '../kube/events.ts';
import { KubeClient } from '../kube/kube-client.ts';
import { resolveSettings } from '../settings/resolution.ts';
import type { Settings, SettingsInput } from '../settings/settings-schema.ts';
import { startHealthServer } from '../telemetry/health-server.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import type { CommandContext } from './command-context.ts';
import { openLiveSigning } from './controller/live-signing.ts';
import type { LiveSigning, LiveSigningProcess } from './controller/live-signing.ts';
import { openCluster } from './wiring/cluster.ts';
import { collectSooner } from './wiring/memory.ts';
import { openProcessLog } from './wiring/process-log.ts';
import { readSettingsSources } from './wiring/settings.ts';
import { openTracing } from './wiring/tracing.ts';
import { packageVersion } from './wiring/version.ts';

interface ControllerFlags {
  readonly config?: string;
  readonly trustedRoot?: string;
  readonly metricsAddress?: string;
  readonly fulcioUrl?: string;
  readonly rekorUrl?: string;
  readonly signingConfig?: string;
  readonly timestampServerUrl?: string;
  readonly concurrency?: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly logLevel?: string;
}

/** `chainwright controller`. */
export function controllerCommand(context: CommandContext): Command {
  return new Command('controller')
    .description('watch TaskRuns of a cluster, and sign, attest and log what they built')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--fulcio-url <url>', 'address of the certificate authority')
    .option('--rekor-url <url>', 'address of the transparency log')
    .option('--signing-config <file>', 'signing_config.json that chooses the services')
    .option('--timestamp-server-url <url>', 'address of an RFC 3161 timestamp authority')
    .option('--metrics-address <host:port>', 'where /metrics, /healthz and /readyz are served')
    .option('--concurrency <number>', 'runs in work at once')
    .option('--namespace <name>', 'namespace that the controller lives in', 'tekton-chains')
    .option('--service-account <name>', 'its ServiceAccount', 'tekton-chains-controller')
    .option('--log-level <level>', 'debug, info, warn or error')
    .addHelpText(
      'after',
      `
Examples:
  chainwright controller --config chainwright.yaml
  KUBECONFIG=admin.conf chainwright controller --trusted-root trusted_root.json --metrics-address 127.0.0.1:9090`,
    )
    .action(async (flags: ControllerFlags) => {
      await runController(flags, context);
    });
}

function settingsOf(flags: ControllerFlags): SettingsInput {
  const { trustedRoot, metricsAddress, fulcioUrl, rekorUrl, concurrency, logLevel } = flags;
  const { signingConfig, timestampServerUrl } = flags;
  const telemetry = {
    ...(metricsAddress === undefined ? {} : { metricsAddress }),
    ...(logLevel === undefined ? {} : { logLevel: logLevel as 'info' }),
  };
  return {
    ...(trustedRoot === undefined ? {} : { trustedRoot: { file: trustedRoot } }),
    ...(fulcioUrl === undefined ? {} : { signer: { fulcio: { url: fulcioUrl } } }),
    ...(rekorUrl === undefined ? {} : { log: { url: rekorUrl } }),
    ...(signingConfig === undefined ? {} : { signingConfig: { file: resolve(signingConfig) } }),
    ...(timestampServerUrl === undefined ? {} : { timestampAuthorities: [timestampServerUrl] }),
    ...(concurrency === undefined ? {} : { controller: { concurrency: Number(concurrency) } }),
    ...(Object.keys(telemetry).length === 0 ? {} : { telemetry }),
  };
}

async function runController(flags: ControllerFlags, { environment, signal }: CommandContext): Promise<void> {
  collectSooner();
  const clock = systemClock;
  await using closing = new AsyncDisposableStack();
  const access = await openCluster(environment, clock, { signal });
  const client = closing.use(new KubeClient({ access, clock }));
  const given = { configFile: flags.config, flags: settingsOf(flags), environment };
  const sources = await readSettingsSources(given);
  const { settings: early } = resolveSettings(sources);
  const log = openProcessLog(early, environment);
  closing.defer(() => log.close());
  const metrics = createMetrics({ version: packageVersion() });
  metrics.watchGelf(() => log.gelf());
  metrics.watchInformers(() => client.informers.sightings());
  const events = new EventRecorder({ client, clock, log });
  closing.defer(() => events.close({ deadlineMs: 2000 }));
  const account = { namespace: flags.namespace, name: flags.serviceAccount };
  const tracing = await openTracing(environment, { log, closing });
  const process = { environment, client, log, metrics, tracing, events, account, clock, signal, closing };
  const signing = openLiveSigning({ ...process, sources, configFile: flags.config });
  const ending = new AbortController();
  const { follower, policies } = signing;
  const following = Promise.all([follower, policies].map((part) => part.run({ signal: ending.signal })));
  try {
    await Promise.race([follower.attempted, following, aborted(signal)]);
    await serveHealth(signing, process, early);
    const known = Promise.all([follower.taken, policies.synced]);
    await Promise.race([known, following, aborted(signal)]);
    if (signal.aborted) return;
    const controller = signing.start();
    const { signer, log: transparency } = signing.settings();
    log.info('started', { version: packageVersion(), signer: signer.type, log: transparency.url });
    await controller.run({ signal });
    log.info('stopped', {});
  } finally {
    ending.abort();
    await following;
  }
}

/** Probes are answered from the first try to use the settings on, so that it can be seen why nothing is done. */
async function serveHealth(
  { follower, policies, controller }: LiveSigning,
  { metrics, closing }: LiveSigningProcess,
  early: Settings,
): Promise<void> {
  const { telemetry } = follower.state.inForce?.settings ?? early;
  closing.use(
    await startHealthServer({
      address: telemetry.metricsAddress,
      live: { informer: () => controller()?.findStall() },
      ready: {
        settings: () => follower.findUnready() ?? policies.findUnready(),
        informer: () => (controller() === undefined ? 'waiting for settings' : controller()?.findUnready()),
      },
      metrics,
    }),
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  return systemClock.sleep(Infinity, signal).catch(() => undefined);
}
