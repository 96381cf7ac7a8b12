import type { EventRecorder } from '../../kube/events.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { Clock } from '../../model/clock.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { createAdmissionMetrics } from '../../telemetry/admission-metrics.ts';
import type { RunningLog } from '../../telemetry/logger.ts';
import type { Environment } from '../wiring/cluster.ts';
import type { LiveRegistries } from './live-registries.ts';
import type { LiveSettings } from './live-settings.ts';
import type { WebhookFlags } from './webhook-flags.ts';

/** What the parts of `chainwright webhook` are made of. */
export interface WebhookWiring {
  readonly flags: WebhookFlags;
  readonly settings: Settings;
  /** The same, and what becomes of them while it runs. */
  readonly live: LiveSettings;
  /** The way to registries by the settings in force. */
  readonly registries: LiveRegistries;
  readonly events: EventRecorder;
  readonly environment: Environment;
  readonly client: KubeClient;
  readonly log: RunningLog;
  readonly metrics: ReturnType<typeof createAdmissionMetrics>;
  readonly clock: Clock;
  /** Takes what has to be closed at the end. */
  readonly closing: AsyncDisposableStack;
}
