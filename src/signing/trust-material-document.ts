import type { TrustMaterial } from '@sigstore/verify';
import { AppError } from '../model/errors.ts';
import { encodePublicKey } from './log-identity.ts';
import { trustedRootMediaType } from './trusted-root-document.ts';
import type {
  AuthorityInstance,
  LogInstance,
  TrustedRootDocument,
  Validity,
} from './trusted-root-document.ts';

type Log = TrustMaterial['tlogs'][number];
type Authority = TrustMaterial['certificateAuthorities'][number];

/**
 * What is trusted, as a document that other Sigstore clients read: that of several trust roots put together has no other.
 * Throws ERR_KEY_UNSUPPORTED.
 */
export function trustMaterialDocument(material: TrustMaterial): TrustedRootDocument {
  return {
    mediaType: trustedRootMediaType,
    tlogs: material.tlogs.map(logOf),
    certificateAuthorities: material.certificateAuthorities.map(authorityOf),
    ctlogs: material.ctlogs.map(logOf),
    timestampAuthorities: material.timestampAuthorities.map(authorityOf),
  };
}

function logOf({ baseURL, logID, publicKey, validFor }: Log): LogInstance {
  const encoded = encodePublicKey(publicKey);
  if (encoded === undefined) {
    throw new AppError('ERR_KEY_UNSUPPORTED', `the key of ${baseURL} is of a kind that no log has`, {
      kind: 'permanent',
      object: baseURL,
      remedy: 'Give an ECDSA (P-256, P-384, P-521), RSA or Ed25519 key.',
    });
  }
  return {
    baseUrl: baseURL,
    hashAlgorithm: 'SHA2_256',
    publicKey: { ...encoded, validFor: periodOf(validFor) },
    logId: { keyId: logID.toString('base64') },
  };
}

function authorityOf({ certChain, validFor }: Authority): AuthorityInstance {
  const certificates = certChain.map(({ root }) => ({ rawBytes: root.toDER().toString('base64') }));
  return { certChain: { certificates }, validFor: periodOf(validFor) };
}

/** For an open end the library has the last instant that a Date knows. */
function periodOf({ start, end }: Log['validFor']): Validity {
  const isOpen = end.getTime() >= Date.UTC(9999, 0);
  return { start: start.toISOString(), ...(isOpen ? {} : { end: end.toISOString() }) };
}
