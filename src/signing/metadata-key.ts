import { constants, createPublicKey, hash, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { fingerprintOf } from '../model/signature.ts';
import { encodeOlpcJson } from '../statements/canonical-json.ts';
import { layoutFault } from '../statements/layout-fault.ts';
import type { JsonObject } from '../statements/strict-json.ts';
import { hashFor } from './signature-algorithm.ts';

/** A key of in-toto metadata (securesystemslib), ready to verify with. */
export interface MetadataKey {
  readonly publicKey: KeyObject;
  /** SHA-256 of the SPKI: two ids of one key are one functionary. */
  readonly fingerprint: string;
  /** True if `signature` over `bytes` was made with the key by its scheme. */
  readonly verify: (bytes: Uint8Array, signature: Uint8Array) => boolean;
}

const shape = z.object({
  keytype: z.string(),
  scheme: z.string(),
  keyval: z.object({
    public: z
      .string()
      .min(1)
      .max(64 * 1024),
  }),
});

const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
const pkcs1 = { padding: constants.RSA_PKCS1_PADDING };

/** How a scheme verifies, and which kinds of key may have it. */
const schemes: Readonly<
  Record<string, { readonly kind: string; readonly hash: string | null; readonly options?: object }>
> = {
  ed25519: { kind: 'ed25519', hash: null },
  'ecdsa-sha2-nistp256': { kind: 'ec prime256v1', hash: 'sha256' },
  'ecdsa-sha2-nistp384': { kind: 'ec secp384r1', hash: 'sha384' },
  'ecdsa-sha2-nistp521': { kind: 'ec secp521r1', hash: 'sha512' },
  'rsassa-pss-sha256': { kind: 'rsa', hash: 'sha256', options: pss },
  'rsassa-pss-sha384': { kind: 'rsa', hash: 'sha384', options: pss },
  'rsassa-pss-sha512': { kind: 'rsa', hash: 'sha512', options: pss },
  'rsa-pkcs1v15-sha256': { kind: 'rsa', hash: 'sha256', options: pkcs1 },
  'rsa-pkcs1v15-sha384': { kind: 'rsa', hash: 'sha384', options: pkcs1 },
  'rsa-pkcs1v15-sha512': { kind: 'rsa', hash: 'sha512', options: pkcs1 },
};
/** What stands before the 32 bytes of an Ed25519 key in DER (RFC 8410). */
const ed25519Prefix = Buffer.from('302a300506032b6570032100', 'hex');

/** Reads a key as layouts hold it: PEM, or for Ed25519 its 32 bytes in hex. Throws ERR_LAYOUT_KEY. */
export function readMetadataKey(given: JsonObject, keyid: string): MetadataKey {
  const { scheme, keyval } = shape.safeParse(given).data ?? {};
  const known = scheme !== undefined && Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined;
  if (known === undefined || keyval === undefined) {
    throw layoutFault(
      'ERR_LAYOUT_KEY',
      keyid,
      `the scheme ${(scheme ?? '').slice(0, 60)} of the key is not supported`,
    );
  }
  const publicKey = parsePublic(keyval.public);
  if (publicKey === undefined || !kindOf(publicKey).startsWith(known.kind)) {
    throw layoutFault('ERR_LAYOUT_KEY', keyid, `the key is none of ${scheme ?? ''}`);
  }
  requireStrong(publicKey, keyid);
  const { hash: algorithm, options = {} } = known;
  return {
    publicKey,
    fingerprint: fingerprintOf(publicKey.export({ format: 'der', type: 'spki' })),
    verify: (bytes, signature) => isValid(algorithm, bytes, { key: publicKey, ...options }, signature),
  };
}

/** A public key as layouts hold it, with its id as securesystemslib computes it. Throws ERR_LAYOUT_KEY. */
export function metadataKeyOf(publicKey: KeyObject): { readonly keyid: string; readonly key: JsonObject } {
  requireStrong(publicKey, 'the key');
  const kind = kindOf(publicKey);
  // Of RSA the scheme that in-toto takes in all its implementations.
  const scheme =
    kind === 'rsa' ? 'rsassa-pss-sha256' : Object.keys(schemes).find((one) => schemes[one]?.kind === kind);
  const keytype = publicKey.asymmetricKeyType === 'ec' ? 'ecdsa' : kind;
  const text =
    keytype === 'ed25519'
      ? publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')
      : publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const key = { keytype, scheme: scheme ?? '', keyval: { public: text } };
  const keyid = hash('sha256', encodeOlpcJson(key) ?? Buffer.alloc(0));
  return { keyid, key: { keyid, ...key } };
}

function parsePublic(text: string): KeyObject | undefined {
  try {
    if (/^[\da-f]{64}$/i.test(text)) {
      const raw = Buffer.from(text, 'hex');
      return createPublicKey({ key: Buffer.concat([ed25519Prefix, raw]), format: 'der', type: 'spki' });
    }
    return /-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(text) ? createPublicKey(text) : undefined;
  } catch {
    // OpenSSL's message helps nobody.
    return undefined;
  }
}

function kindOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  return `${asymmetricKeyType ?? ''} ${asymmetricKeyDetails?.namedCurve ?? ''}`.trim();
}

function requireStrong(key: KeyObject, keyid: string): void {
  try {
    hashFor(key);
  } catch {
    throw layoutFault('ERR_LAYOUT_KEY', keyid, 'keys of this kind or size are not supported');
  }
}

function isValid(
  algorithm: string | null,
  bytes: Uint8Array,
  key: Parameters<typeof verify>[2],
  signature: Uint8Array,
): boolean {
  try {
    return verify(algorithm, bytes, key, signature);
  } catch {
    // OpenSSL throws on signatures that do not even parse: they are invalid like any other.
    return false;
  }
}
