import { constants, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { AppError } from '../model/errors.ts';
import type { SignOptions } from '../model/signature.ts';

/**
 * The hash that cosign signs with for a key (sigstore `GetDefaultPublicKeyDetails`): the curve's own for ECDSA,
 * SHA-256 for RSA (PKCS #1 v1.5), none for Ed25519, which hashes by itself. Throws ERR_KEY_UNSUPPORTED.
 */
export function hashFor(key: KeyObject): 'sha256' | 'sha384' | 'sha512' | undefined {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  switch (key.asymmetricKeyType) {
    case 'ec':
      if (curve === 'prime256v1') return 'sha256';
      if (curve === 'secp384r1') return 'sha384';
      if (curve === 'secp521r1') return 'sha512';
      break;
    case 'rsa':
      if ((key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048) return 'sha256';
      break;
    case 'ed25519':
      return undefined;
    default:
  }
  throw new AppError('ERR_KEY_UNSUPPORTED', `a ${describe(key)} key cannot sign`, {
    kind: 'permanent',
    remedy: 'Use ECDSA on P-256, P-384 or P-521, RSA of at least 2048 bits, or Ed25519.',
  });
}

/** A hash under a signature. */
export type SignatureHash = 'sha224' | 'sha256' | 'sha384' | 'sha512';

/**
 * Signature of `data` as cosign makes it with this kind of key, or as the options want it. Computed off the main thread.
 */
export function signWith(
  privateKey: KeyObject,
  data: Uint8Array,
  { hash, padding }: SignOptions = {},
): Promise<Uint8Array> {
  const own = hashFor(privateKey);
  const algorithm = own === undefined ? null : (hash ?? own);
  return new Promise((resolve, reject) => {
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
    const key = {
      key: privateKey,
      ...(padding === 'pss' && privateKey.asymmetricKeyType === 'rsa' ? pss : {}),
    };
    sign(algorithm, data, key, (error, signature) => {
      if (error === null) resolve(signature);
      else reject(error);
    });
  });
}

/**
 * True if `signature` over `data` is valid with `hash`. Without one {@link hashFor}'s is tried, and SHA-256: older cosign
 * releases and Rekor's dsse entries use it with every curve. Ed25519 knows no other hash than its own.
 */
export function isSignatureValid(
  publicKey: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
  hash?: SignatureHash,
): boolean {
  const own = hashFor(publicKey);
  const usual = hash === undefined ? [...new Set([own, 'sha256'])] : [hash];
  const hashes = own === undefined ? [null] : usual.map((one) => one ?? null);
  return hashes.some((one) => isValidWith(one, publicKey, data, signature));
}

function isValidWith(
  hash: string | null,
  publicKey: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return verify(hash, data, publicKey, signature);
  } catch {
    // OpenSSL throws on signatures that do not even parse: they are invalid like any other.
    return false;
  }
}

function describe(key: KeyObject): string {
  const detail = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyDetails?.modulusLength ?? '';
  return `${key.asymmetricKeyType ?? key.type} ${detail}`.trim();
}
