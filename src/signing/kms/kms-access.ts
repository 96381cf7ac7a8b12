import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { readBounded } from '../../model/bounded-body.ts';
import { limits } from '../../model/limits.ts';
import { kmsFault } from './kms-fault.ts';

/** What asking a KMS takes. */
export interface KmsAccess {
  readonly dispatcher: Dispatcher;
  /** The process environment, of which each provider reads its own variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends with the deadline of the whole search. */
  readonly signal: AbortSignal;
}

/** What a KMS is asked to sign. */
export interface KmsSigning {
  readonly data: Uint8Array;
  /** Of `data`; absent for Ed25519, which takes the data itself. */
  readonly digest?: { readonly hash: 'sha256' | 'sha384' | 'sha512'; readonly bytes: Buffer };
  readonly kind: 'ecdsa' | 'rsa-pkcs1' | 'rsa-pss' | 'ed25519';
}

/** A key whose private half a KMS holds. */
export interface KmsKey {
  readonly publicKey: KeyObject;
  /** The signature, of ECDSA in DER; a call has an access of its own, with its own deadline. Throws ERR_KMS_*. */
  readonly sign: (signing: KmsSigning, access: KmsAccess) => Promise<Uint8Array>;
}

/** Finds the key at an address of its own scheme. */
export type KmsProvider = (uri: string, access: KmsAccess) => Promise<KmsKey>;

/** One HTTP call, as the SDKs want it made. */
export interface KmsCall {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

/** An answer of any status, its body read within limits. */
export interface KmsAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT']);

/** Makes a call over the dispatcher that was handed in; redirects are not followed. Throws what undici throws. */
export async function exchange(
  { method, url, headers, body }: KmsCall,
  { dispatcher, signal }: Pick<KmsAccess, 'dispatcher' | 'signal'>,
): Promise<KmsAnswer> {
  const response = await request(url, {
    method: methods.has(method) ? method : 'GET',
    headers: { ...headers },
    body: body ?? null,
    dispatcher,
    signal,
  });
  const { origin } = new URL(url);
  return {
    status: response.statusCode,
    headers: Object.fromEntries(
      Object.entries(response.headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
    ),
    body: await readBounded(response.body, {
      maxBytes: limits.jsonBytes,
      code: 'ERR_KMS_UNREACHABLE',
      object: origin,
    }),
  };
}

/** The JSON object of an answer. Throws ERR_KMS_KEY. */
export function jsonOf({ body }: Pick<KmsAnswer, 'body'>, uri: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Told below.
  }
  throw kmsFault('ERR_KMS_KEY', uri, 'the answer is no JSON object');
}

/** A key as a service gives it: PEM, DER or JWK. Throws ERR_KMS_KEY. */
export function readPublicKey(key: Parameters<typeof createPublicKey>[0], uri: string): KeyObject {
  try {
    return createPublicKey(key);
  } catch (cause) {
    throw kmsFault('ERR_KMS_KEY', uri, 'the answer holds no public key', cause);
  }
}
