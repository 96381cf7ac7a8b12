import { X509Certificate, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { VerificationMaterial } from '../model/signature.ts';

/** The public key that a signature is verified with: the bare one, or that of the leaf certificate. */
export function publicKeyOf(material: VerificationMaterial): KeyObject {
  return material.kind === 'certificate'
    ? new X509Certificate(material.chainDer[0]).publicKey
    : createPublicKey({ key: Buffer.from(material.spkiDer), format: 'der', type: 'spki' });
}
