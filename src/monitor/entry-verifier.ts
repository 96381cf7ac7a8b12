import { X509Certificate as NodeCertificate, createPublicKey, hash } from 'node:crypto';
import { X509Certificate } from '@sigstore/core';
import { fingerprintOf } from '../model/signature.ts';
import { readIssuer } from '../signing/certificate-identity.ts';

/** A certificate or public key that an entry of the log names as signer. Nobody checked that it is genuine. */
export interface EntryVerifier {
  /** SHA-256 of the public key (SPKI), hex. */
  readonly fingerprint: string;
  /** Absent for a bare key. */
  readonly certificate?: {
    /** Every alternative name: URIs, e-mail addresses, Fulcio's user name. */
    readonly subjects: readonly string[];
    /** OpenID Connect issuer; empty where the certificate names none. */
    readonly issuer: string;
    /** Hex. */
    readonly serial: string;
    /** SHA-256 of the certificate, hex. */
    readonly sha256: string;
    readonly notBefore: string;
  };
}

const namesWithText = [1, 2, 6];
const userNameOid = '1.3.6.1.4.1.57264.1.7';

/** The certificate or key in one PEM block; undefined for what is neither, or cannot be read. */
export function readVerifier(pem: string): EntryVerifier | undefined {
  try {
    return pem.includes('BEGIN CERTIFICATE') ? ofCertificate(pem) : { fingerprint: fingerprintOfKey(pem) };
  } catch {
    // A log takes much that nobody can read; who cannot be read cannot be taken for us either.
    return undefined;
  }
}

/** SHA-256 of a public key in PEM, hex. Throws what node:crypto throws. */
export function fingerprintOfKey(pem: string): string {
  return fingerprintOf(createPublicKey(pem).export({ format: 'der', type: 'spki' }));
}

function ofCertificate(pem: string): EntryVerifier {
  const node = new NodeCertificate(pem);
  const certificate = X509Certificate.parse(node.raw);
  return {
    fingerprint: fingerprintOf(node.publicKey.export({ format: 'der', type: 'spki' })),
    certificate: {
      subjects: subjectsOf(certificate),
      issuer: issuerOf(certificate),
      serial: node.serialNumber.toLowerCase(),
      sha256: hash('sha256', node.raw),
      notBefore: certificate.notBefore.toISOString(),
    },
  };
}

function subjectsOf({ extSubjectAltName: names }: X509Certificate): readonly string[] {
  const texts = (names?.valueObj.subs[0]?.subs ?? [])
    .filter(({ tag }) => namesWithText.some((kind) => tag.isContextSpecific(kind)))
    .map(({ value }) => value.toString('latin1'));
  const userName = names?.otherName(userNameOid);
  return userName === undefined ? texts : [...texts, userName];
}

/** A certificate that contradicts itself still names its subject, which is what matters here. */
function issuerOf(certificate: X509Certificate): string {
  try {
    return readIssuer(certificate);
  } catch {
    return '';
  }
}
