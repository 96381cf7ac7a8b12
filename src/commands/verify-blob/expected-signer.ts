import { createPublicKey } from 'node:crypto';
import { AppError } from '../../model/errors.ts';
import { exactly, matching } from '../../signing/certificate-identity.ts';
import type { TextMatch } from '../../signing/certificate-identity.ts';
import type { ExpectedSigner } from '../../signing/verification.ts';
import { usageFault } from '../policy/usage-fault.ts';
import type { SignerFlags } from '../verify/signer-flags.ts';
import { readPublicKeyPem } from '../wiring/key-reference.ts';
import type { KeyReading } from '../wiring/key-reference.ts';

/**
 * Who must have signed, by cosign's flags: a key, or identity and issuer. Throws ERR_USAGE_FLAGS, ERR_USAGE_FILE,
 * ERR_USAGE_KEY, ERR_IDENTITY_PATTERN.
 */
export async function expectedSigner(flags: SignerFlags, options: KeyReading): Promise<ExpectedSigner> {
  const subject = toMatch(flags.certificateIdentity, flags.certificateIdentityRegexp);
  const issuer = toMatch(flags.certificateOidcIssuer, flags.certificateOidcIssuerRegexp);
  if (flags.key !== undefined) {
    if (subject === undefined && issuer === undefined) return keyOf(flags.key, flags, options);
    throw usageFault('--key and --certificate-* exclude each other', 'Give the ones that shall count.');
  }
  if (subject === undefined || issuer === undefined) {
    throw usageFault(
      'nothing tells who must have signed',
      'Give --key, or --certificate-identity(-regexp) and --certificate-oidc-issuer(-regexp).',
    );
  }
  return { kind: 'identity', anyOf: [{ subject, issuer }] };
}

function toMatch(text: string | undefined, pattern: string | undefined): TextMatch | undefined {
  if (text !== undefined && pattern !== undefined) {
    throw usageFault(`"${text}" and the expression "${pattern}" exclude each other`, 'Give one of them.');
  }
  // An empty expression is found in everything; nobody means that.
  if (pattern !== undefined && pattern !== '') return matching(pattern);
  return text === undefined || text === '' ? undefined : exactly(text);
}

async function keyOf(
  reference: string,
  { signatureDigestAlgorithm: hash }: SignerFlags,
  options: KeyReading,
): Promise<ExpectedSigner> {
  const pem = await readPublicKeyPem(reference, options);
  try {
    const publicKey = createPublicKey(publicBlockOf(pem));
    return { kind: 'key', publicKey, ...(hash === undefined ? {} : { hash }) };
  } catch (cause) {
    throw new AppError('ERR_USAGE_KEY', `${reference} is no public key`, {
      kind: 'permanent',
      object: reference,
      remedy: 'Give the public key in PEM, as cosign.pub has it.',
      cause,
    });
  }
}

/** Node would take the public half of a private key, too; a verifier should not have that. */
function publicBlockOf(pem: string): string {
  if (!/-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(pem))
    throw new Error('it has no PEM block of a public key');
  return pem;
}
