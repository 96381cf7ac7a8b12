import type { Clock } from '../model/clock.ts';
import { withDeadline } from './deadline.ts';
import { kubeBounds } from './kube-bounds.ts';

/** What a TLS connection to the API server is made with; absent fields mean Node's defaults. */
export interface TlsMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** Name to expect in the server's certificate, where it differs from the address. */
  readonly servername?: string;
  /** False only where a kubeconfig says `insecure-skip-tls-verify`. */
  readonly rejectUnauthorized?: boolean;
}

/** How to prove who we are; `headers` hold secrets and are never logged. */
export interface ClusterCredentials {
  readonly headers: Readonly<Record<string, string>>;
  /** The same object as long as nothing in it changed, so that connections can be kept. */
  readonly tls: TlsMaterial;
}

/** One cluster: its address, and credentials that renew themselves. */
export interface ClusterAccess {
  /** Base address without trailing slash. */
  readonly server: string;
  /** Namespace that the configuration names, or `default`. */
  readonly namespace: string;
  /** HTTP proxy on the way to the server. */
  readonly proxy?: string | undefined;
  /** Credentials at most a minute old; when the server answered 401 to `refused`, newer ones than that. */
  credentials(options: {
    readonly refused?: ClusterCredentials | undefined;
    readonly signal: AbortSignal;
  }): Promise<ClusterCredentials>;
}

const loadMs = 30_000;

/** Reads credentials; `afterRefusal` says that the server refused the last ones, so nothing cached may be given again. */
export type CredentialLoader = (options: {
  readonly afterRefusal: boolean;
  readonly signal: AbortSignal;
}) => Promise<ClusterCredentials>;

/** Keeps credentials for a minute, reads them once for all who ask at the same time, and outlives a failed re-read. */
export class CredentialCache {
  readonly #load: CredentialLoader;
  readonly #clock: Clock;
  #current: ClusterCredentials | undefined;
  #readAtMs = 0;
  #loading: Promise<ClusterCredentials> | undefined;

  constructor(load: CredentialLoader, clock: Clock) {
    this.#load = load;
    this.#clock = clock;
  }

  /** See {@link ClusterAccess.credentials}; throws what the load throws if there is nothing older to go on with. */
  async credentials(options: {
    readonly refused?: ClusterCredentials | undefined;
    readonly signal: AbortSignal;
  }): Promise<ClusterCredentials> {
    options.signal.throwIfAborted();
    const current = this.#current;
    if (current !== undefined && current !== options.refused && this.#isFresh()) return current;
    try {
      this.#loading ??= this.#reload(options.refused !== undefined);
      return await this.#loading;
    } catch (error) {
      // a token file in the middle of being swapped must not stop the work while the old token still holds
      if (current !== undefined && current !== options.refused) return current;
      throw error;
    }
  }

  #isFresh(): boolean {
    return this.#clock.now().getTime() - this.#readAtMs < kubeBounds.credentialsMs;
  }

  async #reload(afterRefusal: boolean): Promise<ClusterCredentials> {
    try {
      // shared by all callers, so none of their signals may end it
      const loaded = await withDeadline(loadMs, new AbortController().signal, (signal) =>
        this.#load({ afterRefusal, signal }),
      );
      const previous = this.#current;
      const kept = previous !== undefined && isSameTls(previous.tls, loaded.tls) ? previous.tls : loaded.tls;
      this.#current = { headers: loaded.headers, tls: kept };
      this.#readAtMs = this.#clock.now().getTime();
      return this.#current;
    } finally {
      this.#loading = undefined;
    }
  }
}

function isSameTls(a: TlsMaterial, b: TlsMaterial): boolean {
  return (
    isSameBytes(a.ca, b.ca) &&
    isSameBytes(a.cert, b.cert) &&
    isSameBytes(a.key, b.key) &&
    a.servername === b.servername &&
    a.rejectUnauthorized === b.rejectUnauthorized
  );
}

function isSameBytes(a: string | Buffer | undefined, b: string | Buffer | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.from(a).equals(Buffer.from(b));
}
