import { X509Certificate, createPrivateKey } from 'node:crypto';
import { isRecord } from '../kube/kube-object.ts';
import type { ServingCertificate } from '../model/serving-certificate.ts';
import type { IssuedCertificate } from './serving-certificate-issue.ts';

/** What our Secret holds, checked: the leaf was issued by one of the authorities, and the keys fit. */
export interface CertificateState {
  readonly leaf: IssuedCertificate;
  /** That issues the next leaf. */
  readonly authority: IssuedCertificate;
  /** That callers trust: the one that issues, and older ones whose leaves may still be in use; PEM each. */
  readonly trusted: readonly string[];
}

/** What reading the Secret tells. */
type SecretReading = { readonly state: CertificateState } | { readonly why: string };

const keys = { leaf: 'tls.crt', leafKey: 'tls.key', trusted: 'ca.crt', authorityKey: 'ca.key' } as const;
const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const maxTrusted = 8;

/** Reads `data` of our Secret: `tls.crt`, `tls.key`, `ca.crt` (the issuing authority first) and `ca.key`. Never throws. */
export function readCertificateSecret(secret: Readonly<Record<string, unknown>>): SecretReading {
  const data = isRecord(secret['data']) ? secret['data'] : {};
  const text = (key: string): string => {
    const value = data[key];
    return typeof value === 'string' ? Buffer.from(value, 'base64').toString('latin1') : '';
  };
  const missing = Object.values(keys).find((key) => text(key).trim() === '');
  if (missing !== undefined) return { why: `it has no ${missing}` };
  const found = text(keys.trusted).match(certificatePattern) ?? [];
  const trusted = found.slice(0, maxTrusted).map((pem) => `${pem}\n`);
  const [issuing = ''] = trusted;
  const state = {
    leaf: { certificatePem: text(keys.leaf), keyPem: text(keys.leafKey) },
    authority: { certificatePem: issuing, keyPem: text(keys.authorityKey) },
    trusted,
  };
  try {
    const why = findFlaw(state);
    return why === undefined ? { state } : { why };
  } catch {
    // Node's messages would not help, and might show what is in it.
    return { why: 'its certificates or keys cannot be read' };
  }
}

function findFlaw({ leaf, authority, trusted }: CertificateState): string | undefined {
  const leafCertificate = new X509Certificate(leaf.certificatePem);
  if (!leafCertificate.checkPrivateKey(createPrivateKey(leaf.keyPem))) return 'tls.key does not fit tls.crt';
  const issuing = new X509Certificate(authority.certificatePem);
  if (!issuing.checkPrivateKey(createPrivateKey(authority.keyPem))) return 'ca.key does not fit ca.crt';
  if (!issuing.ca) return 'ca.crt is no certificate authority';
  const isTrusted = trusted.some((pem) => isIssuedBy(leafCertificate, pem));
  return isTrusted ? undefined : 'tls.crt was not issued by ca.crt';
}

/** True if the authority (PEM) issued the certificate. */
export function isIssuedBy(certificate: X509Certificate, authorityPem: string): boolean {
  const authority = new X509Certificate(authorityPem);
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

/** `data` of the Secret. */
export function toSecretData({ leaf, authority, trusted }: CertificateState): Record<string, string> {
  const encode = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
  return {
    [keys.leaf]: encode(leaf.certificatePem),
    [keys.leafKey]: encode(leaf.keyPem),
    [keys.trusted]: encode(trusted.join('')),
    [keys.authorityKey]: encode(authority.keyPem),
  };
}

/** What the HTTPS server and the `caBundle` take. */
export function toServingCertificate({ leaf, trusted }: CertificateState): ServingCertificate {
  return { certificatePem: leaf.certificatePem, keyPem: leaf.keyPem, authorityPem: trusted.join('') };
}
