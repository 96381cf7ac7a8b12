import type { Clock } from '../model/clock.ts';
import { isPassing } from '../model/errors.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { TrustRoot } from '../signing/trust-root.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** Where a trust root is read from, again and again. */
export interface TrustRootReading {
  refresh(options: CallOptions): Promise<TrustRoot>;
}

/** What a {@link WatchedTrustRoot} is made of. */
export interface WatchedTrustRootParts {
  readonly client: Pick<KubeClient, 'get'>;
  /** Name of the TrustRoot object; undefined: the one of the settings. */
  readonly name: string | undefined;
  /** Opens what an object describes. Throws ERR_POLICY_INVALID. */
  readonly openObject: (object: KubeObject) => TrustRootReading;
  readonly fallback: TrustRootReading;
  /** How long a trust root is used before it is read anew, in milliseconds. */
  readonly resyncMs: number;
  readonly clock: Pick<Clock, 'now'>;
}

/**
 * The trust root of one LogMonitor, which may change while the log is followed: its object by hand, a TUF repository by
 * itself. What was read last serves on while a server is away, as long as the object says the same.
 */
export class WatchedTrustRoot {
  readonly #parts: WatchedTrustRootParts;
  #source = '';
  #reading: TrustRootReading | undefined;
  #current: TrustRoot | undefined;
  #readAtMs = -Infinity;

  constructor(parts: WatchedTrustRootParts) {
    this.#parts = parts;
  }

  /** The trust root as it is now. Throws ERR_KUBE_NOT_FOUND, ERR_POLICY_INVALID, ERR_TRUST_ROOT, ERR_TUF_*. */
  async current({ signal }: CallOptions): Promise<TrustRoot> {
    try {
      return await this.#read(signal);
    } catch (error) {
      signal.throwIfAborted();
      if (this.#current === undefined || !isPassing(error)) throw error;
      return this.#current;
    }
  }

  async #read(signal: AbortSignal): Promise<TrustRoot> {
    const { client, name, openObject, fallback, resyncMs, clock } = this.#parts;
    if (name === undefined) {
      this.#reading ??= fallback;
    } else {
      const object = await client.get(resourceTypes.trustRoots, { name }, { signal });
      const source = `${object.metadata.uid ?? ''} ${JSON.stringify(object['spec'])}`;
      if (source !== this.#source || this.#reading === undefined) {
        this.#current = undefined;
        this.#reading = openObject(object);
        this.#source = source;
      }
    }
    const nowMs = clock.now().getTime();
    if (this.#current === undefined || nowMs - this.#readAtMs >= resyncMs) {
      this.#current = await this.#reading.refresh({ signal });
      this.#readAtMs = nowMs;
    }
    return this.#current;
  }
}
