import type { Clock } from '../../model/clock.ts';
import type { Log } from '../../model/log.ts';
import { SettingsFollower } from '../../reconcilers/settings-follower.ts';
import type { SettingsFollowerParts } from '../../reconcilers/settings-follower.ts';
import { resolveSettings } from '../../settings/resolution.ts';
import type { SettingsSources } from '../../settings/resolution.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { createAdmissionMetrics } from '../../telemetry/admission-metrics.ts';
import { startHealthServer } from '../../telemetry/health-server.ts';
import type { RunningLog } from '../../telemetry/logger.ts';

/** What following the settings takes. */
export interface LiveSettingsParts {
  readonly sources: SettingsSources;
  /** The file that stands in for the ChainwrightConfig, which is not followed then. */
  readonly configFile: string | undefined;
  readonly namespace: string;
  readonly client: SettingsFollowerParts['client'];
  readonly events: SettingsFollowerParts['events'];
  readonly metrics: ReturnType<typeof createAdmissionMetrics>;
  readonly clock: Clock;
  readonly log: Log & Pick<RunningLog, 'setLevel'>;
  /**
   * Goes over to settings before they come into force, and once a minute to what changed of what those in force refer to.
   * Throws, and leaves everything as it was, if they cannot be used.
   */
  readonly use: (settings: Settings) => Promise<void>;
  readonly signal: AbortSignal;
  readonly closing: AsyncDisposableStack;
}

/** Told of changed settings; those that it throws at do not come into force. */
type SettingsListener = (settings: Settings) => Promise<void> | void;

/** Settings that may change at any time. */
export interface LiveSettings {
  /** Those in force now. */
  readonly current: Settings;
  onChange(listener: SettingsListener): void;
}

/**
 * The settings for the webhook as soon as there are some that can be used; until then its probes say why not. Undefined if
 * `signal` aborts before. They are followed until the end.
 */
export async function openLiveSettings(parts: LiveSettingsParts): Promise<LiveSettings | undefined> {
  const { sources, configFile, namespace, client, events, metrics, clock, log, signal, closing } = parts;
  const { use } = parts;
  const early = resolveSettings(sources).settings;
  const listeners: SettingsListener[] = [use];
  const live = { current: early };
  const follower = new SettingsFollower({
    ...{ user: 'webhook', client, namespace, configFile, events, metrics, clock, log },
    resolve: (cluster) => resolveSettings({ ...sources, ...cluster }),
    take: async (settings) => {
      for (const listener of listeners) await listener(settings);
      log.setLevel(settings.telemetry.logLevel);
      live.current = settings;
    },
    lookAgain: use,
  });
  const ending = new AbortController();
  const following = follower.run({ signal: ending.signal });
  closing.defer(async () => {
    ending.abort();
    await following;
  });
  await untilTaken(follower, early, parts, following);
  if (signal.aborted) return undefined;
  return {
    get current() {
      return live.current;
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
  };
}

async function untilTaken(
  follower: SettingsFollower,
  early: Settings,
  { metrics, clock, signal }: LiveSettingsParts,
  following: Promise<void>,
): Promise<void> {
  const stopped = clock.sleep(Infinity, signal).catch(() => undefined);
  await Promise.race([follower.attempted, following, stopped]);
  if (follower.state.inForce !== undefined || signal.aborted) return;
  await using _ = await startHealthServer({
    address: early.telemetry.metricsAddress,
    live: {},
    ready: { settings: () => follower.findUnready() },
    metrics,
  });
  await Promise.race([follower.taken, following, stopped]);
}
