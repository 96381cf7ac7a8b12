import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../model/clock.ts';
import type { Registries } from '../../registry/distribution-store.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { createRegistries } from '../wiring/attestation.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import type { HostTrust } from '../wiring/dispatchers.ts';
import { readHostTrust } from '../wiring/registry-access.ts';
import type { ClusterReader } from '../wiring/registry-access.ts';

/** What the way to registries is made of. */
export interface LiveRegistriesParts {
  /** PEM files with authorities that are trusted for every host. */
  readonly caFiles: readonly string[];
  readonly reader: ClusterReader;
  readonly clock: Clock;
}

// A review takes at most 30 s, and a store made for a workload is used for a minute.
const lingerMs = 120_000;

/** One way to the registries, and what it was made by. */
interface Way {
  readonly listed: Settings['registries'];
  readonly trust: ReadonlyMap<string, HostTrust>;
  readonly dispatchers: Dispatchers;
  readonly registries: Registries;
}

/**
 * Registries as the settings in force tell to reach them, by the authorities that those name as they were looked at last.
 * What goes on over the old connections may finish.
 */
export class LiveRegistries implements Pick<Registries, 'withCredentials'>, AsyncDisposable {
  readonly #parts: LiveRegistriesParts;
  readonly #open = new Set<Dispatchers>();
  readonly #ending = new AbortController();
  #way: Way;

  private constructor(parts: LiveRegistriesParts, way: Way) {
    this.#parts = parts;
    this.#way = way;
    this.#open.add(way.dispatchers);
  }

  /** As where settings list no registry, until some are used. Throws ERR_SETTINGS_CA_FILE. */
  static async open(parts: LiveRegistriesParts): Promise<LiveRegistries> {
    return new LiveRegistries(parts, await openWay([], new Map(), parts));
  }

  /** The connections in use now. */
  get dispatchers(): Dispatchers {
    return this.#way.dispatchers;
  }

  withCredentials(
    ...args: Parameters<Registries['withCredentials']>
  ): ReturnType<Registries['withCredentials']> {
    return this.#way.registries.withCredentials(...args);
  }

  /**
   * Goes over to these settings, and to authorities that changed though the settings did not. Throws
   * ERR_SETTINGS_CA_FILE, ERR_SETTINGS_AUTHORITY, ERR_KUBE_*, and leaves everything as it was then.
   */
  async use(settings: Pick<Settings, 'registries'>): Promise<void> {
    const { registries: listed } = settings;
    const trust = await readHostTrust(settings, this.#parts.reader);
    const before = this.#way;
    if (isDeepStrictEqual(listed, before.listed) && isDeepStrictEqual(trust, before.trust)) return;
    this.#way = await openWay(listed, trust, this.#parts);
    this.#open.add(this.#way.dispatchers);
    void this.#closeLater(before.dispatchers);
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

async function openWay(
  listed: Way['listed'],
  trust: Way['trust'],
  { caFiles, clock }: LiveRegistriesParts,
): Promise<Way> {
  const dispatchers = await Dispatchers.open({ caFiles, hosts: trust });
  return {
    listed,
    trust,
    dispatchers,
    registries: createRegistries({ registries: listed }, dispatchers, clock),
  };
}
