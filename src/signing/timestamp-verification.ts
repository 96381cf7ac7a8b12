import type { KeyObject } from 'node:crypto';
import { RFC3161Timestamp } from '@sigstore/core';
import { Verifier } from '@sigstore/verify';
import type { TrustRoot } from './trust-root.ts';
import { translateFaults } from './verification-fault.ts';

/**
 * When a signature existed, as an authority of the trust root says by RFC 3161: its certificate chain, its signature and
 * the digest are checked; the signature itself is not. Throws ERR_VERIFY_TIMESTAMP, ERR_VERIFY_MALFORMED.
 */
export function verifyTimestamp(
  timestamp: Uint8Array,
  signed: { readonly signature: Uint8Array; readonly publicKey: KeyObject },
  { material }: TrustRoot,
): Date {
  const { publicKey } = signed;
  const signature = Buffer.from(signed.signature);
  return translateFaults(() => {
    const stamp = RFC3161Timestamp.parse(Buffer.from(timestamp));
    const trust = { ...material, publicKey: () => ({ publicKey, validFor: () => true }) };
    const never = (): boolean => false;
    new Verifier(trust, { tlogThreshold: 0, timestampThreshold: 1 }).verify({
      signature: {
        signature,
        compareSignature: never,
        compareDigest: never,
        compareSignedDigest: never,
        verifySignature: (key) => key === publicKey,
      },
      key: { $case: 'public-key', hint: '' },
      tlogEntries: [],
      timestamps: [{ $case: 'timestamp-authority', timestamp: stamp }],
    });
    return stamp.signingTime;
  });
}
