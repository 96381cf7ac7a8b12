import { hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { toSignedEntity } from '@sigstore/verify';
import type { SignedEntity } from '@sigstore/verify';
import type { EvidenceMaterial } from './evidence-material.ts';

const hashByLength: Readonly<Record<number, string>> = { 32: 'sha256', 48: 'sha384', 64: 'sha512' };

/**
 * Evidence whose signature was checked with this key, as @sigstore/verify takes it: with the check that was made, since the
 * library's cannot check Ed25519 over plain bytes, nor an ECDSA key whose curve asks for another hash than SHA-256.
 * Whose the key is, is left to the caller: a certificate is not looked at.
 */
export function toEntity(material: EvidenceMaterial, publicKey: KeyObject): SignedEntity {
  const { bundle, payload } = material;
  const content = { $case: 'publicKey', publicKey: { hint: '' } } as const;
  const withoutSigner = { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, content } };
  const entity = toSignedEntity(withoutSigner, Buffer.from(payload));
  return { ...entity, signature: toSignatureContent(material, publicKey) };
}

function toSignatureContent(material: EvidenceMaterial, publicKey: KeyObject): SignedEntity['signature'] {
  const signature = Buffer.from(material.signature);
  return {
    signature,
    compareSignature: (other) => signature.equals(other),
    compareDigest: (digest) => isDigestOf(material.payload, digest),
    compareSignedDigest: (digest) => isDigestOf(material.signedBytes, digest),
    verifySignature: (key: KeyObject) => key === publicKey,
  };
}

function isDigestOf(bytes: Uint8Array, digest: Buffer): boolean {
  const algorithm = hashByLength[digest.length];
  return algorithm !== undefined && hash(algorithm, bytes, 'buffer').equals(digest);
}
