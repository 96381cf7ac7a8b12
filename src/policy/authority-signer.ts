import type { KeyObject } from 'node:crypto';
import { AppError } from '../model/errors.ts';
import { exactly, matching } from '../signing/certificate-identity.ts';
import type { IdentityMatch, TextMatch } from '../signing/certificate-identity.ts';
import type { ExpectedSigner } from '../signing/verification.ts';
import type { ClusterImagePolicy } from './cluster-image-policy.ts';
import type { PolicyReferences } from './policy-references.ts';
import type { KeyRef, KeylessRef } from './policy-schema.ts';
import { parsePublicKey } from './public-key.ts';

type NamedAuthority = ClusterImagePolicy['authorities'][number];

/** By whom an authority wants evidence to be signed. Throws ERR_POLICY_REFERENCE. */
export async function signerOf(
  { key, keyless }: NamedAuthority,
  policy: ClusterImagePolicy,
  references: PolicyReferences,
): Promise<ExpectedSigner> {
  if (key !== undefined) return { kind: 'key', publicKey: await publicKeyOf(key, policy, references) };
  return { kind: 'identity', anyOf: (keyless?.identities ?? []).map(identityOf) };
}

function identityOf(identity: NonNullable<KeylessRef['identities']>[number]): IdentityMatch {
  return {
    issuer: textMatch(identity.issuer, identity.issuerRegExp),
    subject: textMatch(identity.subject, identity.subjectRegExp),
  };
}

function textMatch(exact = '', pattern = ''): TextMatch {
  return pattern === '' ? exactly(exact) : matching(pattern);
}

async function publicKeyOf(
  { data = '', secretRef }: KeyRef,
  { name: policy }: ClusterImagePolicy,
  references: PolicyReferences,
): Promise<KeyObject> {
  const secret = secretRef?.name ?? '';
  const key = parsePublicKey(data === '' ? await references.findSecret(secret) : data);
  if (key !== undefined) return key;
  throw new AppError('ERR_POLICY_REFERENCE', `secret "${secret}" contains an invalid public key`, {
    kind: 'permanent',
    object: policy,
    remedy: 'Put one public key in PEM into the Secret.',
  });
}
