import { Command } from 'commander';
import type { AdmissionServer } from '../admission/admission-server.ts';
import { EventRecorder } from '../kube/events.ts';
import { KubeClient } from '../kube/kube-client.ts';
import { PullSecretSource } from '../kube/pull-secrets.ts';
import type { ServingCertificate } from '../model/serving-certificate.ts';
import { openPolicyEngine } from '../policy/evaluation/policy-engine.ts';
import { openLogSearch } from '../policy/log-search.ts';
import { ExceptionRegister } from '../policy/exception-register.ts';
import { PolicyRegister } from '../policy/policy-register.ts';
import { fetchRemotePolicy } from '../policy/remote-policy.ts';
import { parseTrustRootObject } from '../policy/trust-root-object.ts';
import { TrustRootSource } from '../policy/trust-root-source.ts';
import { KyvernoBridge } from '../reconcilers/kyverno-bridge.ts';
import { KyvernoPolicies } from '../reconcilers/kyverno-policies.ts';
import { PolicyFollower } from '../reconcilers/policy-follower.ts';
import { openKmsKeys } from '../signing/kms/kms-keys.ts';
import { createAdmissionMetrics } from '../telemetry/admission-metrics.ts';
import { resolveSettings } from '../settings/resolution.ts';
import type { Settings } from '../settings/settings-schema.ts';
import { startHealthServer } from '../telemetry/health-server.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import type { CommandContext } from './command-context.ts';
import { startAdmission } from './webhook/admission-wiring.ts';
import { LiveRegistries } from './webhook/live-registries.ts';
import { openLiveSettings } from './webhook/live-settings.ts';
import { runBeside } from './webhook/beside-wiring.ts';
import { LiveJudging } from './webhook/judging-wiring.ts';
import { firstCertificate, openCertificates } from './webhook/serving-certificates.ts';
import type { Certificates } from './webhook/serving-certificates.ts';
import { settingsOfFlags } from './webhook/webhook-flags.ts';
import type { WebhookFlags } from './webhook/webhook-flags.ts';
import type { WebhookWiring } from './webhook/webhook-wiring.ts';
import { openWorkloadStores } from './webhook/workload-stores.ts';
import { openCluster } from './wiring/cluster.ts';
import { kyvernoOptionsOf } from './wiring/kyverno-options.ts';
import { Dispatchers } from './wiring/dispatchers.ts';
import { openProcessLog, trustedFilesOf } from './wiring/process-log.ts';
import { ownCredentials } from './wiring/registry-access.ts';
import { processCredentials } from './wiring/run-credentials.ts';
import { readSettingsSources } from './wiring/settings.ts';
import { openTrustRoot } from './wiring/trust.ts';
import { packageVersion } from './wiring/version.ts';

// With the pause before it shorter than the 30 s that the kubelet waits for a Pod's end.
const drainMs = 15_000;
const eventsMs = 2000;

/** `chainwright webhook`. */
export function webhookCommand(context: CommandContext): Command {
  return new Command('webhook')
    .description('judge the images of Pods, and of what makes Pods, at admission')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .option('--namespace <name>', 'namespace that the webhook lives in', 'tekton-chains')
    .option('--address <host:port>', 'where HTTPS is served')
    .option('--tls-cert <file>', 'serving certificate, PEM; without it the webhook keeps one by itself')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--tls-ca <file>', 'its authority, PEM, to be written into the WebhookConfigurations')
    .option('--tls-san <name...>', 'more DNS names or addresses for the certificate that is kept', [])
    .option('--service-name <name>', 'Service that the API server calls', 'chainwright-webhook')
    .option('--webhook-name <name>', 'name of the WebhookConfigurations', 'chainwright')
    .option('--trusted-root <file>', 'trusted_root.json for policies that name no TrustRoot')
    .option('--metrics-address <host:port>', 'where /metrics, /healthz and /readyz are served')
    .option('--shutdown-delay <seconds>', 'how long calls are still taken after the order to stop', Number, 0)
    .option('--log-level <level>', 'debug, info, warn or error')
    .addHelpText(
      'after',
      `
Examples:
  chainwright webhook --config chainwright.yaml
  KUBECONFIG=admin.conf chainwright webhook --address 127.0.0.1:8443 --tls-san 127.0.0.1 --metrics-address 127.0.0.1:9091`,
    )
    .action(async (flags: WebhookFlags) => {
      await runWebhook(flags, context);
    });
}

async function runWebhook(flags: WebhookFlags, { environment, signal }: CommandContext): Promise<void> {
  const clock = systemClock;
  await using closing = new AsyncDisposableStack();
  const given = { configFile: flags.config, flags: settingsOfFlags(flags), environment };
  const sources = await readSettingsSources(given);
  const log = openProcessLog(resolveSettings(sources).settings, environment);
  closing.defer(() => log.close());
  const access = await openCluster(environment, clock, { signal });
  const client = closing.use(new KubeClient({ access, clock }));
  const metrics = createAdmissionMetrics({ version: packageVersion() });
  metrics.watchGelf(() => log.gelf());
  metrics.watchInformers(() => client.informers.sightings());
  const events = new EventRecorder({ client, clock, log, component: 'chainwright-webhook' });
  closing.defer(() => events.close({ deadlineMs: eventsMs }));
  const { namespace, config: configFile } = flags;
  const reader = { client, namespace, signal };
  const registries = closing.use(
    await LiveRegistries.open({ caFiles: trustedFilesOf(environment), reader, clock }),
  );
  const parts = { client, events, metrics, clock, log, closing };
  const use = (changed: Settings): Promise<void> => registries.use(changed);
  const live = await openLiveSettings({ ...parts, sources, configFile, namespace, use, signal });
  if (live === undefined) return;
  const settings = live.current;
  const wiring: WebhookWiring = { ...parts, flags, settings, live, registries, environment };
  const webhook = await createWebhook(wiring);
  const { register, follower, certificates } = webhook;
  closing.use(
    await startHealthServer({
      address: settings.telemetry.metricsAddress,
      live: { policies: () => follower.findStall() },
      ready: {
        policies: () => follower.findUnready(),
        certificate: () => certificates.findUnready(),
        stopping: () => (signal.aborted ? 'it is being stopped' : undefined),
      },
      metrics,
    }),
  );
  metrics.policiesInForce(() => register.inForce?.policies.length);
  await runAll(webhook, wiring, signal);
  log.info('stopped', {});
}

/** What follows the cluster does so until the last review is answered. */
async function runAll(webhook: Webhook, wiring: WebhookWiring, signal: AbortSignal): Promise<void> {
  const ending = new AbortController();
  const failing = new AbortController();
  const { follower, certificates, bridge, beside } = webhook;
  const following = [follower, certificates, bridge].map(async (part) => {
    try {
      await part.run({ signal: ending.signal });
    } finally {
      failing.abort();
    }
  });
  const serving = serve(webhook, wiring, AbortSignal.any([signal, failing.signal])).finally(() => {
    ending.abort();
  });
  await Promise.all([serving, ...following, beside({ signal: ending.signal })]);
}

/** Serves from the first certificate on until it is told to stop, then lets what is under way finish. */
async function serve(
  { certificates, start }: Webhook,
  { flags, log, clock }: WebhookWiring,
  signal: AbortSignal,
): Promise<void> {
  const certificate = await firstCertificate(certificates, signal);
  if (certificate === undefined) return;
  const server = await start(certificate);
  certificates.onChange((next) => {
    server.useCertificate(next);
  });
  log.info('started', { version: packageVersion(), address: server.address });
  await clock.sleep(Infinity, signal).catch(() => undefined);
  log.info('stopping', {});
  server.drain();
  await clock.sleep(flags.shutdownDelay * 1000, new AbortController().signal);
  await server.close({ drainMs });
}

interface Webhook {
  readonly register: PolicyRegister;
  readonly follower: PolicyFollower;
  readonly bridge: KyvernoBridge;
  readonly certificates: Certificates;
  readonly start: (certificate: ServingCertificate) => Promise<AdmissionServer>;
  /** Does what the door can do without, until the signal aborts: it never throws. */
  readonly beside: (options: { readonly signal: AbortSignal }) => Promise<void>;
}

async function createWebhook(wiring: WebhookWiring): Promise<Webhook> {
  const { flags, settings, live, registries, events, environment, client, log, metrics, clock, closing } =
    wiring;
  const { namespace } = flags;
  const register = new PolicyRegister();
  const engine = closing.use(openPolicyEngine({ clock, log }));
  // Not for registries: trust roots, keys and texts that policies name.
  const others = closing.use(await Dispatchers.open({ caFiles: trustedFilesOf(environment) }));
  const dispatcher = others.for('');
  const kms = openKmsKeys({ dispatcher, environment });
  const bridge = new KyvernoBridge({
    policies: new KyvernoPolicies(client),
    options: () => (live.current.kyverno.export ? kyvernoOptionsOf(live.current) : undefined),
    findPolicy: (name) => follower.findPolicy(name),
    onRemark: (name) => {
      follower.remark(name);
    },
    ...{ register, clock, log },
  });
  live.onChange(bridge.wake);
  const follower: PolicyFollower = new PolicyFollower({
    ...{ client, namespace, register, engine, events, metrics, clock, log },
    remarks: bridge.remarks,
    settings: settings.webhook,
    openTrustRoot: (object) => new TrustRootSource(parseTrustRootObject(object), { dispatcher, clock }),
    defaultTrustRoot: settings.trustedRoot.trustRootRef ?? ((options) => openTrustRoot(settings, options)),
    fetchRemotePolicy: (remote, options) => fetchRemotePolicy(remote, { dispatcher, ...options }),
    findKmsKey: (uri, options) => kms.find(uri, options),
  });
  const pullSecrets = new PullSecretSource({ client });
  const unnamed = processCredentials(environment);
  const stores = openWorkloadStores({
    registries,
    pullSecrets,
    ownCredentials: {
      find: (...asked) =>
        ownCredentials(live.current, { pullSecrets, namespace, unnamed, log }).find(...asked),
    },
    metrics,
    log,
  });
  const searchLog = openLogSearch({ dispatcherFor: (host) => registries.dispatchers.for(host), clock });
  const exceptions = new ExceptionRegister();
  const judging = new LiveJudging({ live, stores, exceptions, searchLog, metrics, clock });
  const shared = { live, register, engine, stores, judging };
  const admission = { ...shared, events, metrics, namespace, clock, log };
  return {
    ...{ register, follower, bridge },
    certificates: await openCertificates(wiring, events),
    start: (certificate) => startAdmission(admission, certificate),
    beside: (options) => runBeside(wiring, { register, exceptions, judging }, options),
  };
}
