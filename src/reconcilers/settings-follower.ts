import { isDeepStrictEqual } from 'node:util';
import type { EventRecorder } from '../kube/events.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { StoreChange } from '../kube/object-store.ts';
import { trimMetadata } from '../kube/object-trim.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { WorkResult } from '../kube/work-queue.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { ResolvedSettings } from '../settings/resolution.ts';
import type { Settings } from '../settings/settings-schema.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { SettingsUser } from '../settings/settings-report.ts';
import { SettingsAccount } from './settings-account.ts';

/** What the cluster says about settings. */
export interface ClusterSettings {
  /** The ChainwrightConfig `default`. */
  readonly object?: KubeObject;
  /** `data` of `chains-config`. */
  readonly chainsConfig?: Readonly<Record<string, string>>;
}

/** What following settings takes. */
export interface SettingsFollowerParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch' | 'get' | 'apply'>;
  /** Who follows: the webhook is not concerned by `chains-config`, and says less in the status. */
  readonly user: SettingsUser;
  /** Namespace of `chains-config`. */
  readonly namespace: string;
  /** The file that stands in for the ChainwrightConfig, which is not followed then. */
  readonly configFile?: string | undefined;
  /** Combines the sources. Throws ERR_SETTINGS_INVALID. */
  readonly resolve: (cluster: ClusterSettings) => ResolvedSettings;
  /** Has `settings` count from now on; throws, and leaves everything as it was, if they cannot be used. */
  readonly take: (settings: Settings) => Promise<void>;
  /**
   * Looks once a minute whether what the settings in force refer to has changed, and goes over to it; throws as `take`.
   * Absent: somebody else does.
   */
  readonly lookAgain?: (settings: Settings) => Promise<void>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly metrics: Pick<Metrics, 'settingsStand' | 'settingsChanged' | 'faultOccurred'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** How the settings stand. */
export interface SettingsState {
  /** The settings in force, and the generation of the object that they were made from. */
  readonly inForce?: ResolvedSettings & { readonly generation: number | undefined };
  /** Why the newest settings are not in force. */
  readonly fault?: AppError;
}

const key = 'settings';
const retry = { baseMs: 1000, capMs: 60_000 } as const;
// A file that was missing may have been mounted, a Secret written; nobody tells us of those.
const lookAgainMs = 60_000;

/**
 * Keeps the settings in force in step with the ChainwrightConfig and with `chains-config`. What cannot be used changes
 * nothing: the settings before stay in force, and status, Event, metric and log say so until it is mended.
 */
export class SettingsFollower {
  readonly #parts: SettingsFollowerParts;
  readonly #configs: Informer<KubeObject> | undefined;
  readonly #configMaps: Informer<KubeObject> | undefined;
  readonly #queue: WorkQueue;
  readonly #account: SettingsAccount;
  readonly #attempted = Promise.withResolvers<undefined>();
  readonly #taken = Promise.withResolvers<undefined>();
  #state: SettingsState = {};

  constructor(parts: SettingsFollowerParts) {
    const { client, user, namespace, configFile, clock, log } = parts;
    this.#parts = parts;
    this.#account = new SettingsAccount(parts);
    this.#queue = new WorkQueue({
      ...{ clock, concurrency: 1, ...retry },
      worker: (_key, { signal }) => this.#follow(signal),
      onFault: ({ error, retryInMs }) => {
        log.warn('the settings are looked at again later', { error: messageOf(error), retryInMs });
      },
    });
    const common = {
      ...{ client, transform: trimMetadata<KubeObject>, clock, log },
      onChange: (change: StoreChange<KubeObject>) => {
        if (this.#isSynced() && !isOwnWrite(change)) this.#queue.retryNow(key);
      },
    };
    if (user === 'controller') {
      this.#configMaps = new Informer({
        ...common,
        type: resourceTypes.configMaps,
        namespaces: [namespace],
        fieldSelector: 'metadata.name=chains-config',
      });
    }
    if (configFile === undefined) {
      this.#configs = new Informer({
        ...common,
        type: resourceTypes.chainwrightConfigs,
        namespaces: [],
        fieldSelector: 'metadata.name=default',
      });
    }
  }

  /** Resolves when the settings of the cluster were tried for the first time, whether they could be used or not. */
  get attempted(): Promise<undefined> {
    return this.#attempted.promise;
  }

  /** Resolves when settings are in force. */
  get taken(): Promise<undefined> {
    return this.#taken.promise;
  }

  get state(): SettingsState {
    return this.#state;
  }

  /** Follows until `signal` aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const informers = this.#informers();
    const { clock } = this.#parts;
    // Where a file stands in for all objects, there is nothing to inform of.
    const stopped = clock.sleep(Infinity, signal).catch(() => undefined);
    const running = Promise.all([stopped, ...informers.map((informer) => informer.run({ signal }))]);
    await Promise.race([Promise.all(informers.map(({ synced }) => synced)), running]);
    this.#queue.retryNow(key);
    await running;
    await this.#queue.close({ deadlineMs: 0 });
  }

  /** Why nothing can be done yet: there are no settings. */
  findUnready(): string | undefined {
    if (this.#state.inForce !== undefined) return undefined;
    const missing = this.#informers().find((informer) => !informer.health().isSynced);
    if (missing !== undefined)
      return `the settings are not read yet: ${missing.health().fault ?? 'they are asked for'}`;
    return `no settings are in force: ${this.#state.fault?.message ?? 'they are being prepared'}`;
  }

  #informers(): readonly Informer<KubeObject>[] {
    return [this.#configs, this.#configMaps].filter((informer) => informer !== undefined);
  }

  #isSynced(): boolean {
    return this.#informers().every((informer) => informer.health().isSynced);
  }

  #read(): ClusterSettings & { readonly configMap?: KubeObject } {
    const object = this.#configs?.find('default');
    const configMap = this.#configMaps?.find(`${this.#parts.namespace}/chains-config`);
    return {
      ...(object === undefined ? {} : { object }),
      ...(configMap === undefined ? {} : { configMap, chainsConfig: dataOf(configMap) }),
    };
  }

  async #follow(signal: AbortSignal): Promise<WorkResult> {
    const cluster = this.#read();
    const before = this.#state;
    try {
      await this.#take(cluster);
    } catch (error) {
      if (!isAppError(error)) throw error;
      this.#state = { ...before, fault: error };
    } finally {
      this.#attempted.resolve(undefined);
    }
    await this.#account.give(before, this.#state, cluster, { signal });
    const { fault } = this.#state;
    if (fault?.kind === 'passing') throw fault;
    return { requeueAfterMs: lookAgainMs };
  }

  async #take({ object, chainsConfig }: ClusterSettings): Promise<void> {
    const { resolve, take } = this.#parts;
    const resolved = resolve({
      ...(object === undefined ? {} : { object }),
      ...(chainsConfig === undefined ? {} : { chainsConfig }),
    });
    const isKnown = isDeepStrictEqual(resolved.settings, this.#state.inForce?.settings);
    await (isKnown ? this.#lookAgain(resolved.settings) : take(resolved.settings));
    const generation = object?.metadata['generation'];
    const seen = typeof generation === 'number' ? generation : undefined;
    this.#state = { inForce: { ...resolved, generation: seen } };
    this.#taken.resolve(undefined);
  }

  async #lookAgain(settings: Settings): Promise<void> {
    const { lookAgain, log } = this.#parts;
    try {
      await lookAgain?.(settings);
    } catch (error) {
      // That a server is away says nothing of the settings.
      if (!isAppError(error) || error.kind !== 'passing') throw error;
      log.warn('what the settings refer to cannot be read; what was read last counts', {
        error: messageOf(error),
      });
    }
  }
}

/** What we write into the status comes back as a change; the generation is that of `spec` alone. */
function isOwnWrite(change: StoreChange<KubeObject>): boolean {
  if (change.kind !== 'updated') return false;
  const generation = change.object.metadata['generation'];
  return generation !== undefined && generation === change.previous.metadata['generation'];
}

function dataOf(configMap: KubeObject): Readonly<Record<string, string>> {
  const data = isRecord(configMap['data']) ? configMap['data'] : {};
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, String(value)]));
}
