import { readFile } from 'node:fs/promises';
import { AppError, isAppError, messageOf } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import type { Log } from '../../model/log.ts';
import { RereadFile } from './reread-file.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { chooseServices, parseSigningConfig } from '../../signing/service-choice.ts';
import type {
  ServiceSelection,
  SigningConfigDocument,
  SigningService,
} from '../../signing/signing-config.ts';

/** Who vouches for signatures, by address. */
export interface WitnessAddresses {
  /** None where the settings switch the log off. */
  readonly logs: readonly { readonly url: string; readonly version: 'v1' | 'v2' }[];
  readonly timestampAuthorities: readonly string[];
}

/** What finding the services takes. */
interface ServiceParts {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

const spoken = { fulcio: [1], log: [2, 1], timestampAuthority: [1] };

/**
 * The services to sign with now: those that the settings name, or those that a signing configuration chooses. Its file is
 * read again when it changes, and chosen from again as time goes by: so a log's shard is rotated without a restart.
 * Errors of all calls: ERR_SIGNING_CONFIG for a file that was never usable (later the last usable one counts),
 * ERR_SIGNING_CONFIG_SERVICE (passing).
 */
export class SigningServices {
  readonly #parts: ServiceParts;
  // One lot for the life of the process: the choice among equals stays as long as they do.
  readonly #lot = Math.random();
  readonly #file: RereadFile<SigningConfigDocument>;
  #announced = '';

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.#file = new RereadFile((options) => loadConfig(parts.settings, options), parts);
  }

  /** Address of the certificate authority. */
  async fulcioUrl(options: { readonly signal: AbortSignal }): Promise<string> {
    const { signer } = this.#parts.settings;
    const config = await this.#configFor('fulcio', options);
    if (config === undefined) return signer.fulcio.url;
    const [newest] = this.#choose('fulcio', config.caUrls, { selector: 'ALL' });
    return newest?.url ?? signer.fulcio.url;
  }

  /** Logs and timestamp authorities. Errors: also ERR_SETTINGS_LOG for those that cannot do together. */
  async witnesses(options: { readonly signal: AbortSignal }): Promise<WitnessAddresses> {
    const { settings } = this.#parts;
    const addresses = {
      logs: settings.log.enabled ? await this.#logs(options) : [],
      timestampAuthorities: await this.#timestampAuthorities(options),
    };
    requireTogether(addresses, settings);
    this.#announce(addresses);
    return addresses;
  }

  async #logs(options: { readonly signal: AbortSignal }): Promise<WitnessAddresses['logs']> {
    const { url, version, further } = this.#parts.settings.log;
    const config = await this.#configFor('log', options);
    if (config === undefined) return [{ url, version }, ...further];
    return this.#choose('log', config.rekorTlogUrls, config.rekorTlogConfig).map((service) => ({
      url: service.url,
      version: service.majorApiVersion === 2 ? 'v2' : 'v1',
    }));
  }

  async #timestampAuthorities(options: { readonly signal: AbortSignal }): Promise<readonly string[]> {
    const config = await this.#configFor('timestampAuthority', options);
    if (config === undefined) return this.#parts.settings.timestampAuthorities;
    const { tsaUrls, tsaConfig } = config;
    return tsaUrls.length === 0
      ? []
      : this.#choose('timestampAuthority', tsaUrls, tsaConfig).map(({ url }) => url);
  }

  #choose(
    service: keyof typeof spoken,
    all: readonly SigningService[],
    selection: ServiceSelection,
  ): readonly SigningService[] {
    const versions = spoken[service];
    return chooseServices(all, {
      versions,
      selection,
      at: this.#parts.clock.now(),
      random: () => this.#lot,
    });
  }

  /** The signing configuration, if there is one that chooses this service. */
  async #configFor(
    service: keyof typeof spoken,
    options: { readonly signal: AbortSignal },
  ): Promise<SigningConfigDocument | undefined> {
    const { file, services } = this.#parts.settings.signingConfig;
    return file === undefined || !services.includes(service) ? undefined : this.#file.current(options);
  }

  #announce({ logs, timestampAuthorities }: WitnessAddresses): void {
    const { settings, log } = this.#parts;
    const fields = {
      logs: logs.map(({ url }) => url).join(' '),
      timestampAuthorities: timestampAuthorities.join(' '),
    };
    const text = JSON.stringify(fields);
    if (text === this.#announced) return;
    this.#announced = text;
    log.info('signatures are witnessed by', fields);
    if (!isHeldByTags(logs) && settings.storage.layouts.tags) {
      log.warn("cosign's tags are left out: they cannot hold entries of Rekor v2", {});
    }
  }
}

function isHeldByTags(logs: WitnessAddresses['logs']): boolean {
  return logs.length === 0 || logs.some(({ version }) => version === 'v1');
}

/** What the settings themselves refuse, for services that a signing configuration chose. */
function requireTogether({ logs, timestampAuthorities }: WitnessAddresses, { storage }: Settings): void {
  if (!isHeldByTags(logs) && !storage.layouts.referrers) {
    throw refuse(
      'all logs are Rekor v2, and storage.layouts leaves tags alone, which cannot hold its entries',
      'Set storage.layouts.referrers, or add a Rekor v1.',
    );
  }
  if (logs.some(({ version }) => version === 'v2') && timestampAuthorities.length === 0) {
    throw refuse(
      'Rekor v2 does not tell when a signature was made, and there is no timestamp authority',
      'Add tsaUrls to the signing configuration, or let timestampAuthorities name one.',
    );
  }
}

async function loadConfig(
  { signingConfig: { file = '' } }: Settings,
  { signal }: { readonly signal: AbortSignal },
): Promise<SigningConfigDocument> {
  try {
    return parseSigningConfig(await readFile(file, { encoding: 'utf8', signal }), file);
  } catch (error) {
    signal.throwIfAborted();
    if (isAppError(error)) throw error;
    throw new AppError('ERR_SIGNING_CONFIG', `cannot read ${file}: ${messageOf(error)}`, {
      kind: 'permanent',
      object: file,
      remedy: 'Name a readable signing_config.json.',
      cause: error,
    });
  }
}

function refuse(why: string, remedy: string): AppError {
  return new AppError('ERR_SETTINGS_LOG', `the logs cannot be used: ${why}`, { kind: 'permanent', remedy });
}
