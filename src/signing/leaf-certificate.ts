import { X509Certificate as NodeCertificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { X509Certificate } from '@sigstore/core';
import { fingerprintOf } from '../model/signature.ts';
import { readIdentity } from './certificate-identity.ts';
import type { CertificateIdentity } from './certificate-identity.ts';
import { translateFaults, verificationFault } from './verification-fault.ts';

/** A signing certificate that is parsed but not yet verified against a trust root. */
export interface LeafCertificate {
  readonly der: Uint8Array;
  readonly publicKey: KeyObject;
  readonly identity: CertificateIdentity;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SHA-256 of the public key, hex. */
  readonly fingerprint: string;
}

const codeSigningUsage = '1.3.6.1.5.5.7.3.3';
// Key usage, alternative name, basic constraints, extended key usage: what @sigstore/verify or this file evaluates.
const understoodCritical = new Set(['2.5.29.15', '2.5.29.17', '2.5.29.19', '2.5.29.37']);

/**
 * Parses a signing certificate and makes the checks that @sigstore/verify leaves out: code signing among its usages,
 * no critical extension that nobody evaluates (RFC 5280 section 4.2), not an authority itself.
 * With `issuerIsOptional` it may lack Fulcio's issuer extension, and the issuer is then the empty text.
 * Throws ERR_VERIFY_MALFORMED, ERR_VERIFY_CHAIN, ERR_VERIFY_IDENTITY.
 */
export function parseLeafCertificate(
  der: Uint8Array,
  options: { readonly issuerIsOptional?: boolean } = {},
): LeafCertificate {
  return translateFaults(() => {
    const bytes = Buffer.from(der);
    const node = new NodeCertificate(bytes);
    const certificate = X509Certificate.parse(bytes);
    if (!(node.keyUsage as string[] | undefined)?.includes(codeSigningUsage)) {
      throw verificationFault('ERR_VERIFY_CHAIN', 'the certificate is not for code signing');
    }
    if (certificate.extBasicConstraints?.isCA === true) {
      throw verificationFault('ERR_VERIFY_CHAIN', "the signer's certificate is an authority's");
    }
    refuseUnknownCritical(certificate);
    return {
      der: bytes,
      publicKey: node.publicKey,
      identity: readIdentity(certificate, options),
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      fingerprint: fingerprintOf(node.publicKey.export({ format: 'der', type: 'spki' })),
    };
  });
}

function refuseUnknownCritical(certificate: X509Certificate): void {
  for (const { subs } of certificate.extensions) {
    const oid = subs[0]?.toOID() ?? '';
    const isCritical = subs.length === 3 && subs[1]?.toBoolean() === true;
    if (isCritical && !understoodCritical.has(oid)) {
      throw verificationFault(
        'ERR_VERIFY_CHAIN',
        `the certificate has the unknown critical extension ${oid}`,
      );
    }
  }
}
