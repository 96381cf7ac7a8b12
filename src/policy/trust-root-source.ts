import type { Dispatcher } from 'undici';
import type { Clock } from '../model/clock.ts';
import { AppError, fromHttpFault, isAppError, isPassing } from '../model/errors.ts';
import { parseTrustRoot } from '../signing/trust-root.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import { readerOf, unpackTufArchive } from '../signing/tuf-archive.ts';
import { visitTufRepository } from '../signing/tuf-client.ts';
import type { TufMetadata, TufRepository, TufTargets } from '../signing/tuf-client.ts';
import { openTufMirror } from '../signing/tuf-mirror.ts';
import type { FieldFault } from './field-fault.ts';
import { findLegacyKeys } from './legacy-tuf-keys.ts';
import type { SigstoreKeys, TufRemoteSpec, TufRepositorySpec } from './policy-schema.ts';
import type { TrustRootObject } from './trust-root-object.ts';
import { archiveFault } from './trust-root-rules.ts';
import { decodeBase64, listCertificates, trustRootOf } from './trusted-keys.ts';
import type { TrustedAuthority, TrustedKeys, TrustedLog } from './trusted-keys.ts';

/** What opening a trust root takes. */
export interface TrustRootParts {
  /** For a remote TUF mirror; the other sources do without. */
  readonly dispatcher?: Dispatcher;
  readonly clock: Clock;
}

type Abort = { readonly signal: AbortSignal };

// All files of a repository together; one of them has 20 s.
const visitMs = 60_000;
const archiveUrl = 'https://archive.invalid/';

/**
 * A TrustRoot's keys, from the object itself, from the TUF repository that it holds, or from a TUF mirror; to be
 * refreshed from time to time. One source serves one generation of the object.
 */
export class TrustRootSource {
  readonly #object: TrustRootObject;
  readonly #parts: TrustRootParts;
  #trusted: TufMetadata | undefined;
  #current: TrustRoot | undefined;

  constructor(object: TrustRootObject, parts: TrustRootParts) {
    this.#object = object;
    this.#parts = parts;
  }

  /** What the last refresh gave. A passing fault leaves it; a repository that is not to be trusted any more takes it away. */
  get current(): TrustRoot | undefined {
    return this.#current;
  }

  /**
   * Reads the trust root anew; of a TUF repository never an older state than before. Throws ERR_TRUST_ROOT,
   * ERR_TUF_ARCHIVE, ERR_TUF_METADATA, ERR_TUF_EXPIRED, and passing ERR_TUF_UNREACHABLE, ERR_TUF_UNAVAILABLE, ERR_TUF_FOLDER.
   */
  async refresh({ signal }: Abort): Promise<TrustRoot> {
    const deadline = AbortSignal.timeout(visitMs);
    try {
      this.#current = await this.#read(AbortSignal.any([signal, deadline]));
      return this.#current;
    } catch (error) {
      signal.throwIfAborted();
      const fault = deadline.aborted
        ? tookTooLong(this.#name, error)
        : fromHttpFault(error, 'ERR_TRUST_ROOT', this.#name);
      if (!isPassing(fault)) this.#current = undefined;
      throw fault;
    }
  }

  get #name(): string {
    return `TrustRoot ${this.#object.name}`;
  }

  async #read(signal: AbortSignal): Promise<TrustRoot> {
    const { repository, remote, sigstoreKeys } = this.#object.spec;
    if (sigstoreKeys !== undefined) return trustRootOf(toTrustedKeys(sigstoreKeys), this.#name);
    if (repository !== undefined)
      return this.#visit(repository, await this.#openArchive(repository, signal), signal);
    return remote === undefined
      ? Promise.reject(noSource(this.#name))
      : this.#visit(remote, this.#openRemote(remote), signal);
  }

  async #visit(
    { root = '', trustedRootTarget }: TufRemoteSpec | TufRepositorySpec,
    place: Omit<TufRepository, 'object' | 'trusted'>,
    signal: AbortSignal,
  ): Promise<TrustRoot> {
    const first = new Map([['root.json', decodeBase64(root) ?? Buffer.alloc(0)]]);
    const { result, trusted } = await visitTufRepository(
      { ...place, object: this.#name, trusted: this.#trusted ?? first },
      (targets) => readTargets(targets, trustedRootTarget, this.#name),
      { clock: this.#parts.clock, signal },
    );
    this.#trusted = trusted;
    return result;
  }

  async #openArchive(
    { mirrorFS = '', targets }: TufRepositorySpec,
    signal: AbortSignal,
  ): Promise<Omit<TufRepository, 'object' | 'trusted'>> {
    const packed = decodeBase64(mirrorFS) ?? Buffer.alloc(0);
    const files = await unpackTufArchive(packed, { object: this.#name, signal });
    return { metadataUrl: archiveUrl, targetsUrl: below(archiveUrl, targets), read: readerOf(files) };
  }

  #openRemote({ mirror = '', targets }: TufRemoteSpec): Omit<TufRepository, 'object' | 'trusted'> {
    const { dispatcher, clock } = this.#parts;
    if (dispatcher === undefined) throw noDispatcher(this.#name);
    return {
      metadataUrl: mirror,
      targetsUrl: below(mirror, targets),
      read: openTufMirror({ dispatcher, clock }),
    };
  }
}

/** Reads a trust root once; as {@link TrustRootSource.refresh}. */
export function loadTrustRootObject(
  object: TrustRootObject,
  { signal, ...parts }: TrustRootParts & Abort,
): Promise<TrustRoot> {
  return new TrustRootSource(object, parts).refresh({ signal });
}

/**
 * What policy-controller's webhook finds when it opens the TUF repository in an object: none for the other sources, which
 * are not opened at admission.
 */
export async function openingFaults(
  object: TrustRootObject,
  options: { readonly clock: Clock } & Abort,
): Promise<readonly FieldFault[]> {
  if (object.spec.repository === undefined) return [];
  try {
    await loadTrustRootObject(object, options);
    return [];
  } catch (error) {
    options.signal.throwIfAborted();
    if (!isAppError(error) || error.kind !== 'permanent') throw error;
    return [archiveFault(error.message)];
  }
}

function below(base: string, path: string): string {
  return `${base.replace(/\/$/, '')}/${path.replace(/^\//, '')}`;
}

async function readTargets(targets: TufTargets, wanted: string, name: string): Promise<TrustRoot> {
  const document = await targets.find(wanted);
  if (document !== undefined) return parseTrustRoot(document.toString('utf8'), name);
  const keys = await findLegacyKeys(targets);
  if (keys !== undefined) return trustRootOf(keys, name);
  throw new AppError(
    'ERR_TRUST_ROOT',
    `${name}: its TUF repository has neither ${wanted} nor keys with a usage`,
    {
      kind: 'permanent',
      object: name,
      remedy: 'Name the target in trustedRootTarget, or add a trusted_root.json to the repository.',
    },
  );
}

/** The keys that a TrustRoot holds itself. */
export function toTrustedKeys(keys: SigstoreKeys): TrustedKeys {
  return {
    tlogs: keys.tLogs.map(toLog),
    ctlogs: keys.ctLogs.map(toLog),
    certificateAuthorities: keys.certificateAuthorities.map(toAuthority),
    timestampAuthorities: keys.timestampAuthorities.map(toAuthority),
  };
}

function toLog({
  baseURL = '',
  hashAlgorithm = '',
  publicKey = '',
}: SigstoreKeys['tLogs'][number]): TrustedLog {
  return { baseUrl: baseURL, hashAlgorithm, publicKey: decodeBase64(publicKey)?.toString('latin1') ?? '' };
}

function toAuthority({
  certChain = '',
  subject = {},
  uri = '',
}: SigstoreKeys['certificateAuthorities'][number]): TrustedAuthority {
  return { uri, subject, certificates: listCertificates(certChain) };
}

function tookTooLong(name: string, cause: unknown): AppError {
  return new AppError('ERR_TUF_UNREACHABLE', `${name} could not be read within ${visitMs / 1000} s`, {
    kind: 'passing',
    object: name,
    remedy: 'Check that the TUF mirror answers; this is tried again.',
    cause,
  });
}

function noSource(name: string): AppError {
  return new AppError('ERR_TRUST_ROOT', `${name} has neither repository nor remote nor sigstoreKeys`, {
    kind: 'permanent',
    object: name,
    remedy: 'Give one of them.',
  });
}

function noDispatcher(name: string): AppError {
  return new AppError('ERR_TRUST_ROOT', `${name} lies on a TUF mirror, and there is no network here`, {
    kind: 'permanent',
    object: name,
    remedy: 'Give its keys in sigstoreKeys, or its TUF repository in repository.',
  });
}
