import { X509Certificate } from '@sigstore/core';
import { messageOf } from '../model/errors.ts';
import type { FindingsAt } from './trust-finding.ts';
import type { AuthorityInstance } from './trusted-root-document.ts';

/** What an authority issues: certificates for signers, or timestamps by a leaf of its own. */
export type AuthorityPurpose = 'signing' | 'timestamping';

const extendedKeyUsageOid = '2.5.29.37';
const anyUsage = Buffer.from('0604551d2500', 'hex');
const usages: Readonly<Record<AuthorityPurpose, Buffer>> = {
  // id-kp-codeSigning and id-kp-timeStamping (RFC 5280 section 4.2.1.12), DER.
  signing: Buffer.from('06082b06010505070303', 'hex'),
  timestamping: Buffer.from('06082b06010505070308', 'hex'),
};

/**
 * Checks the chain of an authority as verifiers will use it (RFC 5280; the timestamping leaf after RFC 3161 section
 * 2.3): readable, in order up to a root that signed itself, each an authority that may be above the next. Gives the
 * chain, if it could be read.
 */
export function checkAuthorityChain(
  { certChain }: AuthorityInstance,
  purpose: AuthorityPurpose,
  found: FindingsAt,
): readonly X509Certificate[] | undefined {
  try {
    const chain = certChain.certificates.map(({ rawBytes }) => parseCertificate(rawBytes));
    checkCertificates(chain, purpose, found);
    return chain;
  } catch (error) {
    // Parts of a certificate are read only when they are asked for.
    found.error('certificate', `a certificate of the chain cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}

function checkCertificates(
  chain: readonly X509Certificate[],
  purpose: AuthorityPurpose,
  found: FindingsAt,
): void {
  const [first] = chain;
  const hasLeaf = purpose === 'timestamping' && first?.isCA === false;
  if (purpose === 'timestamping') checkTimestampLeaf(hasLeaf ? first : undefined, found);
  checkSigned(chain, found);
  checkAuthorities(hasLeaf ? chain.slice(1) : chain, purpose, found);
}

function parseCertificate(rawBytes: string): X509Certificate {
  const certificate = X509Certificate.parse(Buffer.from(rawBytes, 'base64'));
  const isComplete = certificate.notBefore < certificate.notAfter && certificate.publicKey.length > 0;
  if (!isComplete) throw new Error('it has no key or is never valid');
  return certificate;
}

function checkTimestampLeaf(leaf: X509Certificate | undefined, found: FindingsAt): void {
  if (leaf === undefined) {
    found.warning(
      'timestamp-leaf',
      'the chain does not begin with the certificate that signs timestamps; cosign wants it',
    );
    return;
  }
  const usage = leaf.extension(extendedKeyUsageOid);
  if (usage?.value.includes(usages.timestamping) !== true) {
    found.error('timestamp-leaf', 'the first certificate is not for timestamping');
  } else if (!usage.critical) {
    found.error('timestamp-leaf', 'its extended key usage is not marked critical (RFC 3161 section 2.3)');
  }
}

function checkSigned(chain: readonly X509Certificate[], found: FindingsAt): void {
  chain.forEach((certificate, index) => {
    const issuer = chain[index + 1] ?? certificate;
    const isNamed = certificate.issuer.equals(issuer.subject);
    if (isNamed && isSignedBy(certificate, issuer)) return;
    const why =
      issuer === certificate
        ? 'the last certificate is no root: it did not sign itself'
        : `certificate ${index + 1} is not issued by certificate ${index + 2}: the order is leaf to root`;
    found.error('chain', why);
  });
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer);
  } catch {
    // An algorithm that is not known here is none that a verifier could use.
    return false;
  }
}

function checkAuthorities(
  authorities: readonly X509Certificate[],
  purpose: AuthorityPurpose,
  found: FindingsAt,
): void {
  if (authorities.length === 0) found.error('chain', 'there is no certificate of an authority');
  authorities.forEach((certificate, index) => {
    const at = `authority certificate ${index + 1}`;
    if (!certificate.isCA) found.error('chain', `${at} may not issue certificates`);
    // How many authorities stand below it, the one that issues the leaf first (RFC 5280 section 4.2.1.9).
    const limit = certificate.extBasicConstraints?.pathLenConstraint;
    if (limit !== undefined && limit < BigInt(index)) {
      found.error('chain', `${at} allows ${limit} authorities below it, and there are ${index}`);
    }
    const usage = certificate.extension(extendedKeyUsageOid)?.value;
    if (usage !== undefined && !usage.includes(usages[purpose]) && !usage.includes(anyUsage)) {
      found.error('chain', `${at} is restricted to other uses than ${purpose}`);
    }
    const above = authorities[index + 1];
    if (
      above !== undefined &&
      (certificate.notAfter > above.notAfter || certificate.notBefore < above.notBefore)
    ) {
      found.warning('chain', `${at} is valid at times when the one above it is not`);
    }
  });
}
