import { TrustedRoot } from '@sigstore/protobuf-specs';
import type { Clock } from '../../model/clock.ts';
import { AppError, messageOf } from '../../model/errors.ts';
import { silentLog } from '../../model/log.ts';
import type { Log } from '../../model/log.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { loadTrustRoot, parseTrustRoot } from '../../signing/trust-root.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { RereadFile } from './reread-file.ts';
import { SigningServices } from './signing-services.ts';

// Also the shards of the public Rekor v2, as log2026-1.rekor.sigstore.dev.
const publicHost = /^(?:fulcio|timestamp|(?:[a-z0-9-]+\.)?rekor)\.sigstore\.dev$/;

/** How a trust root is opened. */
export interface TrustOptions {
  readonly signal: AbortSignal;
  /** False where a key signs that the settings don't tell of; as the settings say if absent. */
  readonly isKeyless?: boolean;
}

/**
 * The trust root that the settings name; without a name that of the public Sigstore instance, by TUF, if it is the one
 * that is used. `undefined` with servers of one's own and no trust root: then the log's key is pinned at first use, and no
 * evidence can be told to be ours. Throws ERR_TRUST_ROOT, ERR_TRUST_ROOT_TUF (passing).
 */
export async function openTrustRoot(
  settings: Settings,
  options: TrustOptions,
): Promise<TrustRoot | undefined> {
  const { file } = settings.trustedRoot;
  if (file !== undefined) return loadTrustRoot(file, options);
  const urls = await addressesOf(settings, options);
  if (!urls.every((url) => publicHost.test(new URL(url).host))) return undefined;
  return parseTrustRoot(await fetchPublicTrustRoot(), 'the public trust root');
}

/** The text of the public Sigstore instance's `trusted_root.json`, by TUF. Throws ERR_TRUST_ROOT_TUF (passing). */
export async function fetchPublicTrustRoot(): Promise<string> {
  try {
    // Loaded only here: with a trust root of one's own its memory is spared.
    const { getTrustedRoot } = await import('@sigstore/tuf');
    return JSON.stringify(TrustedRoot.toJSON(await getTrustedRoot({ timeout: 30_000, retry: 2 })));
  } catch (error) {
    throw new AppError('ERR_TRUST_ROOT_TUF', `the public trust root cannot be fetched: ${messageOf(error)}`, {
      kind: 'passing',
      remedy: 'Allow access to the public TUF repository, or name a trusted_root.json in trustedRoot.file.',
      cause: error,
    });
  }
}

/** False where a key signs and nobody is told of it: there is nothing then that a trust root could be asked. */
export function needsTrustRoot(settings: Settings, options: Pick<TrustOptions, 'isKeyless'> = {}): boolean {
  const { log, timestampAuthorities, signingConfig } = settings;
  const isWitnessed = log.enabled || timestampAuthorities.length > 0 || signingConfig.file !== undefined;
  return isKeylessIn(settings, options) || isWitnessed;
}

async function addressesOf(settings: Settings, options: TrustOptions): Promise<readonly string[]> {
  const { log, signer, signingConfig, timestampAuthorities } = settings;
  const isKeyless = isKeylessIn(settings, options);
  if (signingConfig.file === undefined) {
    const logs = [log, ...log.further].map(({ url }) => url);
    return [...logs, ...timestampAuthorities, ...(isKeyless ? [signer.fulcio.url] : [])];
  }
  const services = new SigningServices({ settings, clock: systemClock, log: silentLog });
  const witnesses = await services.witnesses(options);
  const logs = witnesses.logs.map(({ url }) => url);
  const fulcio = isKeyless ? [await services.fulcioUrl(options)] : [];
  return [...logs, ...witnesses.timestampAuthorities, ...fulcio];
}

function isKeylessIn({ signer }: Settings, { isKeyless }: Pick<TrustOptions, 'isKeyless'>): boolean {
  return isKeyless ?? signer.type === 'keyless';
}

/** The trust root of a process that runs on: a file is read again, since a log's rotation brings new keys. */
export class CurrentTrustRoot {
  readonly #file: RereadFile<TrustRoot> | undefined;
  readonly #fixed: TrustRoot | undefined;

  private constructor(file: RereadFile<TrustRoot> | undefined, fixed: TrustRoot | undefined) {
    this.#file = file;
    this.#fixed = fixed;
  }

  /** None where a key signs and nobody witnesses it, unless the settings name one. Errors: as {@link openTrustRoot}. */
  static async open(
    settings: Settings,
    parts: TrustOptions & { readonly clock: Clock; readonly log: Pick<Log, 'warn'> },
  ): Promise<CurrentTrustRoot> {
    const { file } = settings.trustedRoot;
    if (file === undefined) {
      const isNeeded = needsTrustRoot(settings, parts);
      return new CurrentTrustRoot(undefined, isNeeded ? await openTrustRoot(settings, parts) : undefined);
    }
    const reread = new RereadFile((options) => loadTrustRoot(file, options), parts);
    await reread.current(parts);
    return new CurrentTrustRoot(reread, undefined);
  }

  /** As it was read last. */
  get latest(): TrustRoot | undefined {
    return this.#file?.latest ?? this.#fixed;
  }

  async current(options: { readonly signal: AbortSignal }): Promise<TrustRoot | undefined> {
    return this.#file === undefined ? this.#fixed : this.#file.current(options);
  }
}
