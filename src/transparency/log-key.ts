import { createPublicKey, hash, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** The public key of a transparency log. */
export interface LogKey {
  /** Lower-case hex; for Rekor v1 SHA-256 of the key's SPKI. */
  readonly logId: string;
  readonly publicKey: KeyObject;
}

/** A log's key from PEM, with the id that Rekor v1 gives it. Throws what node:crypto throws. */
export function parseLogKey(pem: string): LogKey {
  const publicKey = createPublicKey(pem);
  return { publicKey, logId: hash('sha256', publicKey.export({ format: 'der', type: 'spki' }), 'hex') };
}

/** True if a log made `signature` over `data`: ECDSA and RSA with SHA-256, Ed25519 as it is. */
export function isSignedByLog(key: LogKey, data: Uint8Array, signature: Uint8Array): boolean {
  const algorithm = key.publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  try {
    return verify(algorithm, data, key.publicKey, signature);
  } catch {
    // OpenSSL throws on signatures that do not even parse: they are invalid like any other.
    return false;
  }
}
