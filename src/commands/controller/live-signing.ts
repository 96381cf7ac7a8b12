import type { EventRecorder } from '../../kube/events.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { PullSecretSource } from '../../kube/pull-secrets.ts';
import { KubeRecordStore } from '../../kube/signing-records.ts';
import type { Clock } from '../../model/clock.ts';
import { RecordRetention } from '../../reconcilers/record-retention.ts';
import { RunNotices } from '../../reconcilers/run-notices.ts';
import { RunShares } from '../../reconcilers/run-shares.ts';
import { SettingsFollower } from '../../reconcilers/settings-follower.ts';
import { SigningPolicies } from '../../reconcilers/signing-policies.ts';
import { SigningTerms } from '../../reconcilers/signing-terms.ts';
import { TaskRunController } from '../../reconcilers/task-run-controller.ts';
import { TaskRunReconciler } from '../../reconcilers/task-run-reconciler.ts';
import { resolveSettings } from '../../settings/resolution.ts';
import type { SettingsSources } from '../../settings/resolution.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { RunningLog } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Tracing } from '../../telemetry/tracing.ts';
import type { Environment } from '../wiring/cluster.ts';
import { replicaIdentity } from '../wiring/replica-identity.ts';
import { SigningSetups } from '../wiring/signing-setups.ts';

/** What the process has. */
export interface LiveSigningProcess {
  readonly environment: Environment;
  readonly client: KubeClient;
  readonly log: RunningLog;
  readonly metrics: Metrics & { readonly contentType: string; render(): Promise<string> };
  readonly tracing: Tracing;
  readonly events: EventRecorder;
  readonly account: { readonly namespace: string; readonly name: string };
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly closing: AsyncDisposableStack;
}

/** Signing by settings that may change at any time. */
export interface LiveSigning {
  readonly follower: SettingsFollower;
  readonly policies: SigningPolicies;
  /** The controller, once it is started. */
  readonly controller: () => TaskRunController | undefined;
  /** The settings in force. */
  readonly settings: () => Settings;
  /** Makes the controller; settings must be in force. */
  readonly start: () => Running;
}

/** What works until it is told to stop, and then finishes what is in work, for twenty seconds at most. */
interface Running {
  readonly run: (options: { readonly signal: AbortSignal }) => Promise<void>;
}

// Shorter than a Pod is given to end.
const drainMs = 20_000;

/** Connects the parts. */
export function openLiveSigning(
  process: LiveSigningProcess & {
    readonly sources: SettingsSources;
    readonly configFile: string | undefined;
  },
): LiveSigning {
  const { client, log, metrics, tracing, events, account, clock, closing, sources, configFile } = process;
  const records = new KubeRecordStore(client);
  const pullSecrets = new PullSecretSource({ client });
  const setups = closing.use(new SigningSetups({ ...process, records, pullSecrets }));
  const live: { controller?: TaskRunController; retention?: RecordRetention; settings: Settings } = {
    settings: resolveSettings(sources).settings,
  };
  const policies = new SigningPolicies({
    ...{ client, namespaces: [], events, clock, log },
    settings: () => live.settings,
    onChange: (namespace) => live.controller?.lookAgain(namespace),
  });
  const terms = new SigningTerms({ setups, policies }, live.settings);
  const take = async (settings: Settings): Promise<void> => {
    // Made before it is switched to: what cannot be used must not take the place of what can.
    if (settings.signer.type !== 'none') (await setups.lease(settings))[Symbol.dispose]();
    log.setLevel(settings.telemetry.logLevel);
    live.settings = settings;
    terms.use(settings);
    policies.judgeAgain();
    live.controller?.adjust(settings.controller);
    live.retention?.lookAtAll();
  };
  const follower = new SettingsFollower({
    user: 'controller',
    ...{ client, namespace: account.namespace, configFile, events, metrics, clock, log, take },
    resolve: (cluster) => resolveSettings({ ...sources, ...cluster }),
  });
  const start = (): Running => {
    const notices = new RunNotices(events);
    const reconciler = new TaskRunReconciler({
      ...{ client, terms, records, notices, metrics, tracing, clock, log },
    });
    const { controller } = live.settings;
    const shares = new RunShares({
      ...{ client, namespace: account.namespace, clock, log, watched: controller.namespaces },
      identity: replicaIdentity(process.environment, 'controller'),
      finishMs: drainMs,
    });
    const watching = { client, reconciler, shares, settings: controller, metrics, clock, log };
    const onPassing = (namespace: string): void => live.retention?.lookAt(namespace);
    const catalogue = new TaskRunController({ ...watching, onPassing });
    const rules = (): Settings['records'] => live.settings.records;
    const isOurs = (): boolean => shares.isFirst;
    const retention = new RecordRetention({ client, catalogue, rules, isOurs, metrics, clock, log });
    live.controller = catalogue;
    live.retention = retention;
    return {
      run: async (options) => {
        await Promise.all([catalogue.run({ ...options, drainMs }), retention.run(options)]);
      },
    };
  };
  return { follower, policies, controller: () => live.controller, settings: () => live.settings, start };
}
