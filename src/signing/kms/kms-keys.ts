import { isAppError, messageOf } from '../../model/errors.ts';
import { fromHttpFault } from '../../model/errors.ts';
import type { KmsAccess, KmsProvider } from './kms-access.ts';
import { kmsFault } from './kms-fault.ts';

/** What public keys of KMSs are looked for with. */
export interface KmsKeysOptions extends Pick<KmsAccess, 'dispatcher' | 'environment'> {
  /** Of one search, in milliseconds; 15 s unless given. */
  readonly deadlineMs?: number;
}

/** Public keys whose private halves a KMS holds. */
export interface KmsKeys {
  /**
   * The public key at `awskms://`, `gcpkms://`, `azurekms://` or `hashivault://` (the addresses of sigstore's
   * pkg/signature/kms), as PEM. Throws ERR_KMS_URI, ERR_KMS_KEY, and, passing, ERR_KMS_REFUSED, ERR_KMS_UNREACHABLE.
   */
  find(uri: string, options: { readonly signal: AbortSignal }): Promise<string>;
}

const defaultDeadlineMs = 15_000;

/** Loaded on first use: each SDK takes tens of megabytes. */
const providers: Readonly<Record<string, () => Promise<KmsProvider>>> = {
  awskms: async () => (await import('./aws-key.ts')).findAwsKey,
  azurekms: async () => (await import('./azure-key.ts')).findAzureKey,
  gcpkms: async () => (await import('./google-key.ts')).findGoogleKey,
  hashivault: async () => (await import('./vault-key.ts')).findVaultKey,
};

/** Opens the way to the KMSs; nothing is loaded and nobody is asked before a key is looked for. */
export function openKmsKeys({
  dispatcher,
  environment,
  deadlineMs = defaultDeadlineMs,
}: KmsKeysOptions): KmsKeys {
  return {
    find: async (uri, { signal }) => {
      const [scheme = '', rest] = uri.split('://', 2);
      const load = Object.hasOwn(providers, scheme) ? providers[scheme] : undefined;
      if (load === undefined || rest === undefined) {
        throw kmsFault('ERR_KMS_URI', uri, `the provider is none of ${Object.keys(providers).join(', ')}`);
      }
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
      try {
        const provider = await load();
        const key = await within(deadline, provider(uri, { dispatcher, environment, signal: deadline }));
        return key.export({ format: 'pem', type: 'spki' }).toString();
      } catch (error) {
        signal.throwIfAborted();
        throw translate(error, uri);
      }
    },
  };
}

/** SDKs look for credentials without a signal: we don't wait longer for them than for anything else. */
async function within<Value>(signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (): void => {
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([work, ended]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

function translate(error: unknown, uri: string): Error {
  if (isAppError(error)) return error;
  const fault = fromHttpFault(error, 'ERR_KMS_UNREACHABLE', uri);
  // What is no fault of the network was thrown by an SDK, most often about credentials that it does not find.
  return fault.kind === 'bug'
    ? kmsFault('ERR_KMS_REFUSED', uri, messageOf(error).slice(0, 300), error)
    : fault;
}
