import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../model/clock.ts';
import type { Registries } from '../../registry/distribution-store.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { createRegistries } from '../wiring/attestation.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { readHostTrust } from '../wiring/registry-access.ts';
import type { ClusterReader } from '../wiring/registry-access.ts';
import type { LiveSettings } from './live-settings.ts';

/** What the way to registries is made of. */
export interface LiveRegistriesParts {
  /** PEM files with authorities that are trusted for every host. */
  readonly caFiles: readonly string[];
  readonly reader: ClusterReader;
  readonly clock: Clock;
}

// A review takes at most 30 s, and a store made for a workload is used for a minute.
const lingerMs = 120_000;

/** Registries as the settings in force tell to reach them. What goes on over the old connections may finish. */
export class LiveRegistries implements Pick<Registries, 'withCredentials'>, AsyncDisposable {
  readonly #parts: LiveRegistriesParts;
  readonly #open = new Set<Dispatchers>();
  readonly #ending = new AbortController();
  #settings: Settings;
  #dispatchers: Dispatchers;
  #registries: Registries;

  private constructor(parts: LiveRegistriesParts, settings: Settings, dispatchers: Dispatchers) {
    this.#parts = parts;
    this.#settings = settings;
    this.#dispatchers = dispatchers;
    this.#registries = createRegistries(settings, dispatchers, parts.clock);
    this.#open.add(dispatchers);
  }

  /** Follows the settings from now on. Throws ERR_SETTINGS_CA_FILE, ERR_SETTINGS_AUTHORITY, ERR_KUBE_*. */
  static async open(live: LiveSettings, parts: LiveRegistriesParts): Promise<LiveRegistries> {
    const settings = live.current;
    const opened = new LiveRegistries(parts, settings, await openDispatchers(settings, parts));
    // What changed while authorities were read, nobody was told of.
    for (let used = settings; used !== live.current;) {
      used = live.current;
      await opened.use(used);
    }
    live.onChange((changed) => opened.use(changed));
    return opened;
  }

  /** The connections in use now. */
  get dispatchers(): Dispatchers {
    return this.#dispatchers;
  }

  withCredentials(
    ...args: Parameters<Registries['withCredentials']>
  ): ReturnType<Registries['withCredentials']> {
    return this.#registries.withCredentials(...args);
  }

  /** Goes over to changed settings; as `open` throws, and leaves everything as it was then. */
  async use(settings: Settings): Promise<void> {
    if (isDeepStrictEqual(settings.registries, this.#settings.registries)) return;
    const before = this.#dispatchers;
    const dispatchers = await openDispatchers(settings, this.#parts);
    this.#open.add(dispatchers);
    this.#settings = settings;
    this.#dispatchers = dispatchers;
    this.#registries = createRegistries(settings, dispatchers, this.#parts.clock);
    void this.#closeLater(before);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.all([...this.#open].map((dispatchers) => dispatchers[Symbol.asyncDispose]()));
  }

  async #closeLater(dispatchers: Dispatchers): Promise<void> {
    await this.#parts.clock.sleep(lingerMs, this.#ending.signal).catch(() => undefined);
    // At the end all are closed anyway.
    if (this.#ending.signal.aborted) return;
    this.#open.delete(dispatchers);
    await dispatchers[Symbol.asyncDispose]();
  }
}

async function openDispatchers(
  settings: Settings,
  { caFiles, reader }: LiveRegistriesParts,
): Promise<Dispatchers> {
  return Dispatchers.open({ caFiles, hosts: await readHostTrust(settings, reader) });
}
