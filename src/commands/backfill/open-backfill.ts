import { EventRecorder } from '../../kube/events.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { PullSecretSource } from '../../kube/pull-secrets.ts';
import { KubeRecordStore } from '../../kube/signing-records.ts';
import type { Clock } from '../../model/clock.ts';
import { RunNotices } from '../../reconcilers/run-notices.ts';
import { RunShares } from '../../reconcilers/run-shares.ts';
import { SigningPolicies } from '../../reconcilers/signing-policies.ts';
import { SigningTerms } from '../../reconcilers/signing-terms.ts';
import { TaskRunReconciler } from '../../reconcilers/task-run-reconciler.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { RunningLog } from '../../telemetry/logger.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import type { Environment } from '../wiring/cluster.ts';
import { uniqueIdentity } from '../wiring/replica-identity.ts';
import { SigningSetups } from '../wiring/signing-setups.ts';
import { packageVersion } from '../wiring/version.ts';

/** What the process has. */
export interface BackfillProcess {
  readonly environment: Environment;
  readonly client: KubeClient;
  readonly settings: Settings;
  readonly account: { readonly namespace: string; readonly name: string };
  readonly log: RunningLog;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly closing: AsyncDisposableStack;
}

/** Signing as the controller does it, by settings that stay as they are. */
export interface OpenedBackfill {
  readonly reconciler: TaskRunReconciler;
  readonly shares: RunShares;
}

// What is in work when the command is stopped may be finished for so long.
const finishMs = 10_000;

/** Connects the parts, as the controller has them. Throws what the signer and its servers throw: ERR_TRUST_ROOT*, ERR_SETTINGS_*. */
export async function openBackfill(process: BackfillProcess): Promise<OpenedBackfill> {
  const { environment, client, settings, account, log, clock, closing, signal } = process;
  const metrics = createMetrics({ version: packageVersion() });
  const events = new EventRecorder({ client, clock, log });
  closing.defer(() => events.close({ deadlineMs: 2000 }));
  const records = new KubeRecordStore(client);
  const pullSecrets = new PullSecretSource({ client });
  const setups = closing.use(
    new SigningSetups({
      ...{ environment, client, account, records, pullSecrets },
      ...{ metrics, clock, log, signal },
    }),
  );
  const ending = new AbortController();
  const policies = new SigningPolicies({
    ...{ client, namespaces: [], events, clock, log },
    settings: () => settings,
    onChange: () => undefined,
  });
  const following = policies.run({ signal: ending.signal });
  closing.defer(async () => {
    ending.abort();
    await following;
  });
  (await setups.lease(settings))[Symbol.dispose]();
  await Promise.race([policies.synced, following]);
  const terms = new SigningTerms({ setups, policies }, settings);
  const notices = new RunNotices(events);
  const identity = uniqueIdentity(environment, 'backfill');
  return {
    reconciler: new TaskRunReconciler({ client, terms, records, notices, metrics, clock, log }),
    shares: new RunShares({
      ...{ client, namespace: account.namespace, identity, clock, log },
      watched: settings.controller.namespaces,
      finishMs,
    }),
  };
}
