import { Command } from 'commander';
import { TaskRunReconciler } from '../reconcilers/task-run-reconciler.ts';
import { RunNotices } from '../reconcilers/run-notices.ts';
import { TaskRunController } from '../reconcilers/task-run-controller.ts';
import { EventRecorder } from '../kube/events.ts';
import { KubeClient } from '../kube/kube-client.ts';
import { PullSecretSource } from '../kube/pull-secrets.ts';
import { KubeRecordStore } from '../kube/signing-records.ts';
import type { Settings, SettingsInput } from '../settings/settings-schema.ts';
import { startHealthServer } from '../telemetry/health-server.ts';
import type { RunningLog } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import {
  buildPolicyOf,
  createAttestationParts,
  createRegistries,
  createStatementSources,
  hostTrustOf,
} from './wiring/attestation.ts';
import { createBomThread } from './wiring/sbom.ts';
import { readChainsConfigMap } from './wiring/chains-config-map.ts';
import { openCluster } from './wiring/cluster.ts';
import type { Environment } from './wiring/cluster.ts';
import type { CommandContext } from './command-context.ts';
import { Dispatchers } from './wiring/dispatchers.ts';
import { credentialsOfRun, processCredentials } from './wiring/run-credentials.ts';
import { openProcessLog, trustedFilesOf } from './wiring/process-log.ts';
import { readSettings } from './wiring/settings.ts';
import { createSigner } from './wiring/signer.ts';
import { untilAvailable } from './wiring/startup.ts';
import { openTrustRoot } from './wiring/trust.ts';
import { packageVersion } from './wiring/version.ts';

interface ControllerFlags {
  readonly config?: string;
  readonly trustedRoot?: string;
  readonly metricsAddress?: string;
  readonly fulcioUrl?: string;
  readonly rekorUrl?: string;
  readonly concurrency?: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly logLevel?: string;
}

const drainMs = 20_000;

/** `chainwright controller`. */
export function controllerCommand(context: CommandContext): Command {
  return new Command('controller')
    .description('watch TaskRuns of a cluster, and sign, attest and log what they built')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--fulcio-url <url>', 'address of the certificate authority')
    .option('--rekor-url <url>', 'address of the transparency log')
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
  const telemetry = {
    ...(metricsAddress === undefined ? {} : { metricsAddress }),
    ...(logLevel === undefined ? {} : { logLevel: logLevel as 'info' }),
  };
  return {
    ...(trustedRoot === undefined ? {} : { trustedRoot: { file: trustedRoot } }),
    ...(fulcioUrl === undefined ? {} : { signer: { fulcio: { url: fulcioUrl } } }),
    ...(rekorUrl === undefined ? {} : { log: { url: rekorUrl } }),
    ...(concurrency === undefined ? {} : { controller: { concurrency: Number(concurrency) } }),
    ...(Object.keys(telemetry).length === 0 ? {} : { telemetry }),
  };
}

async function runController(flags: ControllerFlags, { environment, signal }: CommandContext): Promise<void> {
  const clock = systemClock;
  await using closing = new AsyncDisposableStack();
  const access = await openCluster(environment, clock, { signal });
  const client = closing.use(new KubeClient({ access, clock }));
  const given = { configFile: flags.config, flags: settingsOf(flags), environment };
  const log = openProcessLog((await readSettings(given)).settings, environment);
  closing.defer(() => log.close());
  const chainsConfig = await untilAvailable(() => readChainsConfigMap(client, flags.namespace, { signal }), {
    signal,
    clock,
    log,
  });
  const { settings, notices } = await readSettings({ ...given, chainsConfig });
  log.setLevel(settings.telemetry.logLevel);
  for (const { level, source, name, message } of notices) {
    log[level === 'warning' ? 'warn' : 'info']('settings', { source, name, notice: message });
  }
  const account = { namespace: flags.namespace, name: flags.serviceAccount };
  const parts = { settings, environment, client, log, account, signal, closing };
  const controller = await createController(parts);
  log.info('started', { version: packageVersion(), signer: settings.signer.type, log: settings.log.url });
  await controller.run({ signal, drainMs });
  log.info('stopped', {});
}

interface ControllerWiring {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly client: KubeClient;
  readonly log: RunningLog;
  readonly account: { readonly namespace: string; readonly name: string };
  readonly signal: AbortSignal;
  readonly closing: AsyncDisposableStack;
}

async function createController(wiring: ControllerWiring): Promise<TaskRunController> {
  const { settings, client, log, closing } = wiring;
  const clock = systemClock;
  const metrics = createMetrics({ version: packageVersion() });
  metrics.watchGelf(() => log.gelf());
  const reconciler = await createReconciler(wiring, metrics);
  const controller = new TaskRunController({
    client,
    reconciler,
    settings: settings.controller,
    metrics,
    clock,
    log,
  });
  closing.use(
    await startHealthServer({
      address: settings.telemetry.metricsAddress,
      live: { informer: () => controller.findStall() },
      ready: { informer: () => controller.findUnready() },
      metrics,
    }),
  );
  return controller;
}

async function createReconciler(wiring: ControllerWiring, metrics: Metrics): Promise<TaskRunReconciler> {
  const { settings, environment, client, log, account, signal, closing } = wiring;
  const clock = systemClock;
  const patience = { signal, clock, log };
  const dispatchers = closing.use(
    await Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) }),
  );
  const events = new EventRecorder({ client, clock, log });
  closing.defer(() => events.close({ deadlineMs: 2000 }));
  const trustRoot = await untilAvailable(() => openTrustRoot(settings, { signal }), patience);
  if (trustRoot === undefined) log.warn('no trust root: the log key is pinned at first use', {});
  const signer = await untilAvailable(
    () => createSigner({ settings, dispatchers, clock, client, account, signal }),
    patience,
  );
  const records = new KubeRecordStore(client);
  const common = { settings, dispatchers, metrics, clock, log };
  const bomMaker = settings.sbom.enabled
    ? closing.use(createBomThread(settings, packageVersion()))
    : undefined;
  const registries = createRegistries(settings, dispatchers, clock);
  const pullSecrets = new PullSecretSource({ client });
  const ownCredentials = processCredentials(environment);
  return new TaskRunReconciler({
    client,
    attestation: createAttestationParts({ ...common, signer, trustRoot, records }),
    policy: buildPolicyOf(settings),
    sources: createStatementSources(settings, bomMaker, log),
    storeFor: (run) =>
      registries.withCredentials(credentialsOfRun(run, { pullSecrets, ownCredentials, log })),
    managedBy: settings.controller.managedBy,
    holdDeletionMs: settings.controller.holdDeletionMs,
    notices: new RunNotices(events),
    metrics,
    log,
  });
}
