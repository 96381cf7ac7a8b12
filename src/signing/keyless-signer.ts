import { generateKeyPair } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../model/clock.ts';
import { AppError } from '../model/errors.ts';
import { fingerprintOf } from '../model/signature.ts';
import type { Signer, SigningKey } from '../model/signature.ts';
import type { FulcioClient, IssuedCertificate } from './fulcio-client.ts';
import type { IdentityTokenSource } from './identity-token.ts';
import { signWith } from './signature-algorithm.ts';

/** What a {@link KeylessSigner} needs. */
export interface KeylessSignerOptions {
  readonly fulcio: FulcioClient;
  readonly tokens: IdentityTokenSource;
  readonly clock: Clock;
  /** How long before its end a certificate is no longer handed out, in milliseconds. Default: 60 s. */
  readonly marginMs?: number;
}

/** A certificate being fetched, with the number of calls that wait for it. */
interface Fetch {
  readonly key: Promise<SigningKey>;
  readonly abort: AbortController;
  waiting: number;
}

const defaultMarginMs = 60_000;
const makeKeyPair = promisify(generateKeyPair);

/**
 * Keyless signing: one ephemeral P-256 key and one Fulcio certificate serve all signatures while the certificate is
 * valid. Calls at the same time share one fetch, which goes on as long as one of them waits; a failed fetch is not
 * kept. The private key exists in memory alone and is dropped with its certificate.
 */
export class KeylessSigner implements Signer {
  readonly #options: KeylessSignerOptions;
  #current: SigningKey | undefined;
  #fetch: Fetch | undefined;

  constructor(options: KeylessSignerOptions) {
    this.#options = options;
  }

  /**
   * A key usable for at least the margin. Errors: those of the token source and of Fulcio (ERR_IDENTITY_TOKEN_*,
   * ERR_FULCIO_*), the caller's abort.
   */
  async acquire({ signal }: { readonly signal: AbortSignal }): Promise<SigningKey> {
    signal.throwIfAborted();
    if (this.#current !== undefined && this.#isUsable(this.#current)) return this.#current;
    this.#current = undefined;
    const fetch = (this.#fetch ??= this.#startFetch());
    fetch.waiting += 1;
    try {
      return await abortable(fetch.key, signal);
    } finally {
      fetch.waiting -= 1;
      if (fetch.waiting === 0 && this.#fetch === fetch) {
        this.#fetch = undefined;
        fetch.abort.abort(new DOMException('nobody waits for the certificate any more', 'AbortError'));
      }
    }
  }

  #isUsable(key: SigningKey): boolean {
    const { clock, marginMs = defaultMarginMs } = this.#options;
    return key.notAfter !== undefined && key.notAfter.getTime() - clock.now().getTime() > marginMs;
  }

  #startFetch(): Fetch {
    const abort = new AbortController();
    const key = this.#fetchKey(abort.signal).then((fetched) => {
      this.#current = fetched;
      return fetched;
    });
    const fetch: Fetch = { key, abort, waiting: 0 };
    key.catch(() => {
      if (this.#fetch === fetch) this.#fetch = undefined;
    });
    return fetch;
  }

  async #fetchKey(signal: AbortSignal): Promise<SigningKey> {
    const { fulcio, tokens, clock } = this.#options;
    const token = await tokens.fetch({ signal });
    const { privateKey, publicKey } = await makeKeyPair('ec', { namedCurve: 'P-256' });
    const certificate = await fulcio.issue({ token, privateKey, publicKey }, { signal });
    return toSigningKey({ privateKey, publicKey, certificate, clock });
  }
}

function toSigningKey(parts: {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly certificate: IssuedCertificate;
  readonly clock: Clock;
}): SigningKey {
  const { privateKey, publicKey, certificate, clock } = parts;
  return {
    material: { kind: 'certificate', chainDer: certificate.chainDer },
    fingerprint: fingerprintOf(publicKey.export({ format: 'der', type: 'spki' })),
    notAfter: certificate.notAfter,
    sign: (data) => {
      if (clock.now() > certificate.notAfter) return Promise.reject(expired(certificate.notAfter));
      return signWith(privateKey, data);
    },
  };
}

function expired(notAfter: Date): AppError {
  return new AppError('ERR_SIGN_KEY_EXPIRED', `the certificate expired at ${notAfter.toISOString()}`, {
    kind: 'passing',
    remedy: 'Nothing: a new certificate is fetched on the next try.',
  });
}

/** `promise`, or the signal's reason as soon as it is aborted; the promise itself goes on. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}
