import { createPublicKey, hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** A public key as protobuf-specs has it (sigstore_common.proto, `PublicKey`), without its validity. */
export interface EncodedPublicKey {
  /** DER, base64. */
  readonly rawBytes: string;
  /** Name of a `PublicKeyDetails`. */
  readonly keyDetails: string;
}

const rsaDetails = /^PKIX_RSA_PKCS1V15_\d+_SHA256$/;
const rsaSizes = [2048, 3072, 4096];
const curveDetails: Readonly<Record<string, string>> = {
  prime256v1: 'PKIX_ECDSA_P256_SHA_256',
  secp384r1: 'PKIX_ECDSA_P384_SHA_384',
  secp521r1: 'PKIX_ECDSA_P521_SHA_512',
};

/** A log's key as cosign writes it into a trust root; undefined if it is of a kind that no log has. */
export function encodePublicKey(key: KeyObject): EncodedPublicKey | undefined {
  const keyDetails = keyDetailsOf(key);
  if (keyDetails === undefined) return undefined;
  const type = keyDetails === 'PKCS1_RSA_PKCS1V5' ? 'pkcs1' : 'spki';
  return { rawBytes: key.export({ format: 'der', type }).toString('base64'), keyDetails };
}

/** Reads back what {@link encodePublicKey} or cosign wrote. Throws what node:crypto throws; and if name and key differ. */
export function decodePublicKey({ rawBytes, keyDetails }: EncodedPublicKey): KeyObject {
  const type = keyDetails === 'PKCS1_RSA_PKCS1V5' ? 'pkcs1' : 'spki';
  const key = createPublicKey({ key: Buffer.from(rawBytes, 'base64'), format: 'der', type });
  const isSame = type === 'pkcs1' ? key.asymmetricKeyType === 'rsa' : keyDetailsOf(key) === keyDetails;
  if (!isSame) throw new Error(`the key is none of kind ${keyDetails}`);
  return key;
}

/**
 * The key in the form that @sigstore/verify reads, which takes every RSA key for PKCS #1, whereas sigstore-go writes SPKI
 * under the newer names. A key that cannot be read is left as it is.
 */
export function forSigstoreVerify(key: EncodedPublicKey): EncodedPublicKey {
  if (!rsaDetails.test(key.keyDetails)) return key;
  try {
    const rsa = createPublicKey({ key: Buffer.from(key.rawBytes, 'base64'), format: 'der', type: 'spki' });
    return { ...key, rawBytes: rsa.export({ format: 'der', type: 'pkcs1' }).toString('base64') };
  } catch {
    // PKCS #1 already, or nothing at all, about which @sigstore/verify complains.
    return key;
  }
}

/** The id of a log that is known by its key alone: Rekor v1, CT logs (RFC 6962 section 3.2). */
export function keyIdOf(key: KeyObject): Buffer {
  return hash('sha256', spkiOf(key), 'buffer');
}

/**
 * The id of a log that is known by its checkpoints: Rekor v2 (C2SP signed-note, whole hash). It covers the origin, save
 * for ECDSA keys.
 */
export function noteIdOf(origin: string, key: KeyObject): Buffer {
  const named = (...parts: readonly Uint8Array[]): Buffer =>
    hash('sha256', Buffer.concat([Buffer.from(`${origin}\n`), ...parts]), 'buffer');
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return named(Buffer.of(1), spkiOf(key).subarray(-32));
    case 'rsa':
      return named(Buffer.of(255), Buffer.from('PKIX-RSA-PKCS#1v1.5'), spkiOf(key));
    default:
      return keyIdOf(key);
  }
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' });
}

/** The name that protobuf-specs' PublicKeyDetails has for a key. */
function keyDetailsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | undefined {
  const { namedCurve = '', modulusLength = 0 } = asymmetricKeyDetails ?? {};
  switch (asymmetricKeyType) {
    case 'ed25519':
      return 'PKIX_ED25519';
    case 'ec':
      return curveDetails[namedCurve];
    case 'rsa':
      return rsaSizes.includes(modulusLength)
        ? `PKIX_RSA_PKCS1V15_${modulusLength}_SHA256`
        : 'PKCS1_RSA_PKCS1V5';
    default:
      return undefined;
  }
}
