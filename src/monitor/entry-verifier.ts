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
    /** Left out where it is stored. */
    readonly der?: Buffer;
  };
}

const namesWithText = [1, 2, 6];
const objectIdentifierTag = 0x06;
const userNameOid = '1.3.6.1.4.1.57264.1.7';

/** The certificate or key in one PEM block, or in DER; undefined for what is neither, or cannot be read. */
export function readVerifier(block: string | Buffer): EntryVerifier | undefined {
  try {
    if (typeof block !== 'string') return ofDer(block);
    return block.includes('BEGIN CERTIFICATE')
      ? ofCertificate(block)
      : { fingerprint: fingerprintOfKey(block) };
  } catch {
    // A log takes much that nobody can read; who cannot be read cannot be taken for us either.
    return undefined;
  }
}

/** SHA-256 of a public key in PEM, hex. Throws what node:crypto throws. */
export function fingerprintOfKey(pem: string): string {
  return fingerprintOf(createPublicKey(pem).export({ format: 'der', type: 'spki' }));
}

function ofDer(der: Buffer): EntryVerifier {
  if (!isCertificate(der)) {
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return { fingerprint: fingerprintOf(key.export({ format: 'der', type: 'spki' })) };
  }
  return ofCertificate(der);
}

/** In a certificate a second sequence lies in the first; in a public key that is the algorithm, which begins with its name. */
function isCertificate(der: Buffer): boolean {
  const header = (start: number): number =>
    start + ((der[start + 1] ?? 0) < 0x80 ? 2 : 2 + ((der[start + 1] ?? 0) & 0x7f));
  return der[header(header(0))] !== objectIdentifierTag;
}

function ofCertificate(encoded: string | Buffer): EntryVerifier {
  const node = new NodeCertificate(encoded);
  const certificate = X509Certificate.parse(node.raw);
  return {
    fingerprint: fingerprintOf(node.publicKey.export({ format: 'der', type: 'spki' })),
    certificate: {
      subjects: subjectsOf(certificate),
      issuer: issuerOf(certificate),
      serial: node.serialNumber.toLowerCase(),
      sha256: hash('sha256', node.raw),
      notBefore: certificate.notBefore.toISOString(),
      der: node.raw,
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
