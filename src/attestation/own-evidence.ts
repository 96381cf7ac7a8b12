import type { Clock } from '../model/clock.ts';
import type { Digest } from '../model/digest.ts';
import { digestOf } from '../model/digest.ts';
import { isAppError } from '../model/errors.ts';
import type { SigningKey } from '../model/signature.ts';
import type { RecordedLogEntry } from '../model/signing-record.ts';
import { exactly } from '../signing/certificate-identity.ts';
import type { Evidence } from '../signing/evidence-material.ts';
import { parseLeafCertificate } from '../signing/leaf-certificate.ts';
import { publicKeyOf } from '../signing/public-key-of.ts';
import { logKeysOf, noTrust } from '../signing/trust-root.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import { verifySignedEntity } from '../signing/verification.ts';
import type { ExpectedSigner, VerifiedEvidence } from '../signing/verification.ts';

/** Evidence that verified as our own. */
export interface FoundEvidence {
  readonly payload: Uint8Array;
  readonly payloadDigest: Digest;
  readonly entries: readonly RecordedLogEntry[];
}

/**
 * Tells evidence that we wrote from evidence that somebody planted: certificate chain, identity, signed certificate
 * timestamp, log entry and signature are verified against the trust root, and the identity must be that of our
 * present key. What a long-lived key signed is told by that key, also where a certificate stands for it. Without a trust root
 * nothing can be told, so nothing counts as ours; but for what a long-lived key signed where nothing is logged, which its
 * signature alone tells.
 */
export class OwnEvidence {
  readonly #trustRoot: () => TrustRoot | undefined;
  readonly #isLogged: boolean;
  readonly #clock: Clock;

  /** `trustRoot` gives the trust root that counts now. */
  constructor(options: { trustRoot: () => TrustRoot | undefined; isLogged: boolean; clock: Clock }) {
    this.#trustRoot = options.trustRoot;
    this.#isLogged = options.isLogged;
    this.#clock = options.clock;
  }

  /** The verified content of `evidence` if the holder of `key`'s identity signed it; undefined if not. */
  verify(evidence: Evidence, key: SigningKey): FoundEvidence | undefined {
    const isToldByKey = key.notAfter === undefined && !this.#isLogged;
    const trustRoot = this.#trustRoot() ?? (isToldByKey ? noTrust : undefined);
    if (trustRoot === undefined) return undefined;
    try {
      const verified = verifySignedEntity(evidence, signerOf(key), {
        trustRoot,
        witness: this.#isLogged ? 'log' : 'unsafe-none',
        requireSct: trustRoot.material.ctlogs.length > 0,
        at: this.#clock.now(),
      });
      return {
        payload: verified.payload,
        payloadDigest: digestOf(verified.payload),
        entries: entriesOf(verified, trustRoot),
      };
    } catch (error) {
      if (isAppError(error)) return undefined;
      throw error;
    }
  }
}

function signerOf({ material, notAfter }: SigningKey): ExpectedSigner {
  // A key that nothing ends is one of our own, not one that was made for a certificate.
  if (material.kind === 'public-key' || notAfter === undefined) {
    return { kind: 'key', publicKey: publicKeyOf(material) };
  }
  const { identity } = parseLeafCertificate(material.chainDer[0]);
  return {
    kind: 'identity',
    anyOf: [{ issuer: exactly(identity.issuer), subject: exactly(identity.subject) }],
  };
}

function entriesOf({ logEntries }: VerifiedEvidence, trustRoot: TrustRoot): readonly RecordedLogEntry[] {
  const keys = logKeysOf(trustRoot);
  return logEntries.map(({ logId, logIndex, integratedAt }) => ({
    log: keys.find((key) => key.logId === logId)?.baseUrl ?? '',
    logId,
    logIndex,
    integratedTime: Math.floor((integratedAt?.getTime() ?? 0) / 1000),
  }));
}
