import { constants, hash, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { fromHttpFault, isAppError, messageOf } from '../../model/errors.ts';
import { fingerprintOf } from '../../model/signature.ts';
import type { SignOptions, SigningKey } from '../../model/signature.ts';
import { hashFor } from '../signature-algorithm.ts';
import type { KmsAccess, KmsKey, KmsProvider, KmsSigning } from './kms-access.ts';
import { kmsFault } from './kms-fault.ts';

/** What keys of KMSs are looked for with. */
export interface KmsKeysOptions extends Pick<KmsAccess, 'dispatcher' | 'environment'> {
  /** Of one search, in milliseconds; 15 s unless given. */
  readonly deadlineMs?: number;
}

/** Keys whose private halves a KMS holds. */
export interface KmsKeys {
  /**
   * The public key at `awskms://`, `gcpkms://`, `azurekms://` or `hashivault://` (the addresses of sigstore's
   * pkg/signature/kms), as PEM. Throws ERR_KMS_URI, ERR_KMS_KEY, and, passing, ERR_KMS_REFUSED, ERR_KMS_UNREACHABLE.
   */
  find(uri: string, options: { readonly signal: AbortSignal }): Promise<string>;
  /** The key to sign with: each signature is a call of its own, and verified before it is used. Throws as `find`, ERR_KEY_UNSUPPORTED. */
  openSigningKey(uri: string, options: { readonly signal: AbortSignal }): Promise<SigningKey>;
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
export function openKmsKeys(options: KmsKeysOptions): KmsKeys {
  const find: Finding = (uri, { signal }) =>
    bounded(uri, { ...options, signal }, async (access) => (await providerOf(uri))(uri, access));
  return {
    find: async (uri, call) =>
      (await find(uri, call)).publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    openSigningKey: async (uri, { signal }) => {
      const key = await find(uri, { signal });
      const spkiDer = key.publicKey.export({ format: 'der', type: 'spki' });
      hashFor(key.publicKey);
      return {
        material: { kind: 'public-key', spkiDer },
        fingerprint: fingerprintOf(spkiDer),
        sign: (data, how) =>
          bounded(uri, { ...options, signal }, async (access) => {
            const signing = signingOf(key.publicKey, data, how);
            const signature = await key.sign(signing, access);
            if (isGood(key.publicKey, signing, signature)) return signature;
            throw kmsFault('ERR_KMS_KEY', uri, 'what it signed does not verify with its public half');
          }),
      };
    },
  };
}

type Finding = (uri: string, options: { readonly signal: AbortSignal }) => Promise<KmsKey>;

function providerOf(uri: string): Promise<KmsProvider> {
  const [scheme = '', rest] = uri.split('://', 2);
  const load = Object.hasOwn(providers, scheme) ? providers[scheme] : undefined;
  if (load !== undefined && rest !== undefined) return load();
  throw kmsFault('ERR_KMS_URI', uri, `the provider is none of ${Object.keys(providers).join(', ')}`);
}

/** True for an address that a KMS is meant by. */
export function isKmsAddress(reference: string): boolean {
  const [scheme = '', rest] = reference.split('://', 2);
  return rest !== undefined && Object.hasOwn(providers, scheme);
}

function signingOf(
  publicKey: KeyObject,
  data: Uint8Array,
  { hash: wanted, padding }: SignOptions = {},
): KmsSigning {
  const own = hashFor(publicKey);
  if (own === undefined) return { data, kind: 'ed25519' };
  const algorithm = wanted ?? own;
  const digest = { hash: algorithm, bytes: hash(algorithm, data, 'buffer') };
  if (publicKey.asymmetricKeyType === 'ec') return { data, digest, kind: 'ecdsa' };
  return { data, digest, kind: padding === 'pss' ? 'rsa-pss' : 'rsa-pkcs1' };
}

function isGood(publicKey: KeyObject, { data, digest, kind }: KmsSigning, signature: Uint8Array): boolean {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
  try {
    return verify(
      digest?.hash ?? null,
      data,
      { key: publicKey, ...(kind === 'rsa-pss' ? pss : {}) },
      signature,
    );
  } catch {
    // OpenSSL throws on signatures that do not even parse.
    return false;
  }
}

async function bounded<Value>(
  uri: string,
  {
    dispatcher,
    environment,
    deadlineMs = defaultDeadlineMs,
    signal,
  }: KmsKeysOptions & { readonly signal: AbortSignal },
  work: (access: KmsAccess) => Promise<Value>,
): Promise<Value> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  try {
    return await within(deadline, work({ dispatcher, environment, signal: deadline }));
  } catch (error) {
    signal.throwIfAborted();
    throw translate(error, uri);
  }
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
