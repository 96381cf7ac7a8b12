import { hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { toSignedEntity } from '@sigstore/verify';
import type { SignedEntity } from '@sigstore/verify';
import type { EvidenceMaterial } from './evidence-material.ts';
import { isSignatureValid } from './signature-algorithm.ts';

const hashByLength: Readonly<Record<number, string>> = { 32: 'sha256', 48: 'sha384', 64: 'sha512' };

/**
 * Evidence as @sigstore/verify takes it, with a signature check of our own: the library's cannot check Ed25519 over
 * plain bytes, nor an ECDSA key whose curve asks for another hash than SHA-256.
 */
export function toEntity(material: EvidenceMaterial): SignedEntity {
  const entity = toSignedEntity(material.bundle, Buffer.from(material.payload));
  return { ...entity, signature: toSignatureContent(material) };
}

/**
 * A timestamp for evidence that has none, so that its certificate is judged at `at`: an entry of no log, of which
 * the library reads nothing but the time. It is not added to the entity's log entries.
 */
export function instantAsTimestamp(at: Date): SignedEntity['timestamps'][number] {
  return {
    $case: 'transparency-log',
    tlogEntry: {
      logIndex: '0',
      logId: { keyId: Buffer.alloc(0) },
      kindVersion: { kind: 'none', version: '0' },
      integratedTime: String(Math.floor(at.getTime() / 1000)),
      inclusionPromise: { signedEntryTimestamp: Buffer.alloc(0) },
      inclusionProof: undefined,
      canonicalizedBody: Buffer.alloc(0),
    },
  };
}

function toSignatureContent(material: EvidenceMaterial): SignedEntity['signature'] {
  const signature = Buffer.from(material.signature);
  return {
    signature,
    compareSignature: (other) => signature.equals(other),
    compareDigest: (digest) => isDigestOf(material.payload, digest),
    compareSignedDigest: (digest) => isDigestOf(material.signedBytes, digest),
    verifySignature: (key: KeyObject) => isSignatureValid(key, material.signedBytes, signature),
  };
}

function isDigestOf(bytes: Uint8Array, digest: Buffer): boolean {
  const algorithm = hashByLength[digest.length];
  return algorithm !== undefined && hash(algorithm, bytes, 'buffer').equals(digest);
}
