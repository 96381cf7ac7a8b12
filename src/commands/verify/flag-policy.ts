import { parseClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import type { ClusterImagePolicy } from '../../policy/cluster-image-policy.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { readPublicKeyPem } from '../wiring/key-reference.ts';
import type { KeyReading } from '../wiring/key-reference.ts';
import { readAuthorities, wantedWitness } from './signer-flags.ts';
import type { SignerFlags } from './signer-flags.ts';

/** True if a flag says who must have signed. */
export function hasSignerFlags(flags: SignerFlags): boolean {
  return Object.keys(signerFields(flags)).length > 0 || flags.key !== undefined;
}

/**
 * The policy that the flags stand for: one authority that wants the image's signature, or the given
 * attestations, logged as cosign wants it. Throws
 * ERR_USAGE_FLAGS, ERR_USAGE_FILE, and ERR_POLICY_INVALID for an expression that does not compile.
 */
export async function policyOfFlags(
  flags: SignerFlags,
  options: KeyReading,
  demands: { readonly attestations?: readonly object[] } = {},
): Promise<ClusterImagePolicy> {
  const authority = { name: 'flags', ...(await signerOf(flags, options)), ...demands };
  const object = {
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'command-line' },
    spec: { images: [{ glob: '**' }], authorities: [authority] },
  };
  return parseClusterImagePolicy(object, '');
}

async function signerOf(flags: SignerFlags, options: KeyReading): Promise<object> {
  const { key, insecureIgnoreSct, signatureDigestAlgorithm: hashAlgorithm } = flags;
  const identity = signerFields(flags);
  const witness = witnessFields(flags);
  const authorities = await readAuthorities(flags, options);
  if (key !== undefined) {
    if (Object.keys(identity).length > 0) {
      throw usageFault('--key and --certificate-* exclude each other', 'Give the ones that shall count.');
    }
    const hash = hashAlgorithm === undefined ? {} : { hashAlgorithm };
    return { key: { data: await readPublicKeyPem(key, options), ...hash }, ...witness };
  }
  const subject = identity['subject'] ?? identity['subjectRegExp'];
  const issuer = identity['issuer'] ?? identity['issuerRegExp'];
  if (subject === undefined || issuer === undefined) {
    throw usageFault(
      'identity and issuer belong together',
      'Give --certificate-identity(-regexp) and --certificate-oidc-issuer(-regexp).',
    );
  }
  const issuedBy = authorities === undefined ? {} : { 'ca-cert': { data: authorities } };
  const keyless = { identities: [identity], insecureIgnoreSCT: insecureIgnoreSct === true, ...issuedBy };
  return { keyless, ...witness };
}

/** What an authority says of witnesses; a keyless one that names no log still wants one. */
function witnessFields(flags: SignerFlags): object {
  const { rekorUrl } = flags;
  switch (wantedWitness(flags)) {
    case 'timestamp':
      return { rfc3161timestamp: {} };
    case 'nobody':
      return {};
    case 'log':
      return { ctlog: rekorUrl === undefined ? {} : { url: rekorUrl } };
  }
}

function signerFields(flags: SignerFlags): Readonly<Record<string, string>> {
  const fields = {
    subject: flags.certificateIdentity,
    subjectRegExp: flags.certificateIdentityRegexp,
    issuer: flags.certificateOidcIssuer,
    issuerRegExp: flags.certificateOidcIssuerRegexp,
  };
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined),
  );
}
