import { parseCertificateIssuers } from '../signing/certificate-issuers.ts';
import type { CertificateIssuers } from '../signing/certificate-issuers.ts';
import { exactly, matching } from '../signing/certificate-identity.ts';
import type { IdentityMatch, TextMatch } from '../signing/certificate-identity.ts';
import type { ExpectedSigner } from '../signing/verification.ts';
import { hashOf, resolveKeyRef } from './key-reference.ts';
import type { PolicyReferences } from './policy-references.ts';
import type { AuthoritySpec, KeylessRef } from './policy-schema.ts';
import { parsePublicKey } from './public-key.ts';

/** By whom an authority wants evidence to be signed. Throws ERR_POLICY_REFERENCE, and what the references throw. */
export async function signerOf(
  { key, keyless }: AuthoritySpec,
  references: PolicyReferences,
): Promise<ExpectedSigner> {
  if (key === undefined) return { kind: 'identity', anyOf: (keyless?.identities ?? []).map(identityOf) };
  const publicKey = await resolveKeyRef(key, references, parsePublicKey);
  const hash = hashOf(key);
  return { kind: 'key', publicKey, ...(hash === undefined ? {} : { hash }) };
}

/**
 * Who may have issued a signer's certificate, where an authority says so by `ca-cert`. Throws ERR_POLICY_REFERENCE, and what
 * the references throw.
 */
export async function issuersOf(
  { keyless }: AuthoritySpec,
  references: PolicyReferences,
): Promise<CertificateIssuers | undefined> {
  const authority = keyless?.['ca-cert'];
  return authority && resolveKeyRef(authority, references, parseCertificateIssuers);
}

/** A keyless identity of a policy as it is compared with a certificate's. Throws ERR_IDENTITY_PATTERN. */
export function identityOf(identity: NonNullable<KeylessRef['identities']>[number]): IdentityMatch {
  return {
    issuer: textMatch(identity.issuer, identity.issuerRegExp),
    subject: textMatch(identity.subject, identity.subjectRegExp),
  };
}

function textMatch(exact = '', pattern = ''): TextMatch {
  return pattern === '' ? exactly(exact) : matching(pattern);
}
