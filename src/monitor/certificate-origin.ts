import { isAppError } from '../model/errors.ts';
import { CertificateMemory } from '../signing/certificate-memory.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import type { EntryVerifier } from './entry-verifier.ts';

/** Tells whether an authority that we trust issued a certificate, or anybody made it up. */
export interface CertificateOrigin {
  isGenuine(verifier: EntryVerifier): boolean;
}

/**
 * Asks the certificate authorities of a trust root, as of the beginning of the certificate's validity. A bare key is genuine: a
 * log takes no entry whose signature is not its. Without authorities in the trust root nothing can be told from a made-up
 * certificate, so everything counts as genuine.
 */
export function originByTrustRoot({ material }: Pick<TrustRoot, 'material'>): CertificateOrigin {
  if (material.certificateAuthorities.length === 0) return { isGenuine: () => true };
  const memory = new CertificateMemory();
  return {
    isGenuine: ({ certificate }) => {
      if (certificate?.der === undefined) return true;
      const demands = { times: [new Date(certificate.notBefore)], requireSct: false, material };
      try {
        memory.requireTrusted({ der: certificate.der }, demands);
        return true;
      } catch (error) {
        if (!isAppError(error)) throw error;
        return false;
      }
    },
  };
}
