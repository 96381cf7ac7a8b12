import { X509Certificate as NodeCertificate, createPublicKey, hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { X509Certificate } from '@sigstore/core';
import type { TrustMaterial } from '@sigstore/verify';
import { verifySCTs } from '@sigstore/verify/dist/key/sct.js';
import type { LeafCertificate } from './leaf-certificate.ts';
import { translateFaults, verificationFault } from './verification-fault.ts';

/** Who may have issued a signer's certificate, in place of a trust root's authorities. */
export interface CertificateIssuers {
  /** Each is trusted by itself, an intermediate one without its root. */
  readonly anchors: readonly IssuerAnchor[];
  /** Tells issuers apart, for caches. */
  readonly version: string;
}

interface IssuerAnchor {
  readonly publicKey: KeyObject;
  /** Absent where only the key is known, as a KMS gives it. */
  readonly certificate?: NodeCertificate;
}

const maxLength = 64 * 1024;
const maxAnchors = 16;
const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const publicKeyBlock = /-----BEGIN (?:RSA )?PUBLIC KEY-----/;

/** The issuers in a PEM text: certificates of authorities, or one bare public key; undefined if it holds neither. */
export function parseCertificateIssuers(pem: string): CertificateIssuers | undefined {
  if (pem.length > maxLength) return undefined;
  const version = hash('sha256', pem);
  try {
    const anchors = pem.match(certificateBlock)?.map(toAnchor) ?? [];
    const areAuthorities = anchors.every(({ certificate }) => certificate.ca);
    if (anchors.length > 0) {
      return anchors.length <= maxAnchors && areAuthorities ? { anchors, version } : undefined;
    }
    return publicKeyBlock.test(pem) ? { anchors: [{ publicKey: createPublicKey(pem) }], version } : undefined;
  } catch {
    // OpenSSL's message helps nobody.
    return undefined;
  }
}

function toAnchor(pem: string): Required<IssuerAnchor> {
  const certificate = new NodeCertificate(pem);
  return { certificate, publicKey: certificate.publicKey };
}

/**
 * Requires that one of the issuers signed the certificate and was valid at all of these times (RFC 5280 section 6, with each
 * issuer as trust anchor), and, if asked, that a certificate log of the trust root saw it. Throws ERR_VERIFY_CHAIN,
 * ERR_VERIFY_EXPIRED, ERR_VERIFY_SCT.
 */
export function requireIssuedBy(
  { der }: Pick<LeafCertificate, 'der'>,
  { anchors }: CertificateIssuers,
  demands: {
    readonly times: readonly Date[];
    readonly requireSct: boolean;
    readonly material: Pick<TrustMaterial, 'ctlogs'>;
  },
): void {
  const leaf = new NodeCertificate(der);
  const issuer = anchors.find((anchor) => isIssuedBy(leaf, anchor));
  if (issuer === undefined) {
    throw verificationFault('ERR_VERIFY_CHAIN', 'none of the authorities in ca-cert issued the certificate');
  }
  const { certificate } = issuer;
  if (certificate !== undefined && !demands.times.every((time) => isValidAt(certificate, time))) {
    const validity = `from ${certificate.validFrom} to ${certificate.validTo}`;
    throw verificationFault('ERR_VERIFY_EXPIRED', `the authority in ca-cert was valid ${validity}`);
  }
  if (demands.requireSct) requireSct(der, issuer, demands.material);
}

function isIssuedBy(leaf: NodeCertificate, { publicKey, certificate }: IssuerAnchor): boolean {
  if (certificate !== undefined && !leaf.checkIssued(certificate)) return false;
  try {
    return leaf.verify(publicKey);
  } catch {
    // OpenSSL throws where the key is of another kind than the signature.
    return false;
  }
}

function isValidAt({ validFromDate, validToDate }: NodeCertificate, time: Date): boolean {
  return time >= validFromDate && time <= validToDate;
}

function requireSct(
  der: Uint8Array,
  { publicKey }: IssuerAnchor,
  { ctlogs }: Pick<TrustMaterial, 'ctlogs'>,
): void {
  const leaf = X509Certificate.parse(Buffer.from(der));
  // Of the issuer nothing but its key counts (RFC 6962 section 3.2), and of a bare key there is no more.
  const key = publicKey.export({ format: 'der', type: 'spki' });
  const issuer = Object.create(leaf, { publicKey: { value: key } }) as X509Certificate;
  const seen = translateFaults(() => verifySCTs(leaf, issuer, ctlogs));
  if (seen.length > 0) return;
  throw verificationFault('ERR_VERIFY_SCT', 'the certificate has no timestamp of a certificate log');
}
