import { createPublicKey } from 'node:crypto';
import type { Clock } from '../model/clock.ts';
import type { Digest } from '../model/digest.ts';
import { digestOf } from '../model/digest.ts';
import { isAppError } from '../model/errors.ts';
import type { SigningKey } from '../model/signature.ts';
import type { RecordedLogEntry } from '../model/signing-record.ts';
import { exactly } from '../signing/certificate-identity.ts';
import type { Evidence } from '../signing/evidence-material.ts';
import { parseLeafCertificate } from '../signing/leaf-certificate.ts';
import { logKeysOf } from '../signing/trust-root.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import { verifySignedEntity } from '../signing/verification.ts';
import type { ExpectedSigner, VerifiedEvidence } from '../signing/verification.ts';

/** Evidence that verified as our own. */
export interface FoundEvidence {
  readonly payload: Uint8Array;
  readonly payloadDigest: Digest;
  readonly entry?: RecordedLogEntry;
}

/**
 * Tells evidence that we wrote from evidence that somebody planted: certificate chain, identity, signed certificate
 * timestamp, log entry and signature are verified against the trust root, and the identity must be that of our
 * present key. Without a trust root nothing can be told, so nothing counts as ours.
 */
export class OwnEvidence {
  readonly #trustRoot: TrustRoot | undefined;
  readonly #isLogged: boolean;
  readonly #clock: Clock;

  constructor(options: { trustRoot?: TrustRoot | undefined; isLogged: boolean; clock: Clock }) {
    this.#trustRoot = options.trustRoot;
    this.#isLogged = options.isLogged;
    this.#clock = options.clock;
  }

  /** The verified content of `evidence` if the holder of `key`'s identity signed it; undefined if not. */
  verify(evidence: Evidence, key: SigningKey): FoundEvidence | undefined {
    if (this.#trustRoot === undefined) return undefined;
    const trustRoot = this.#trustRoot;
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
        ...entryOf(verified, trustRoot),
      };
    } catch (error) {
      if (isAppError(error)) return undefined;
      throw error;
    }
  }
}

function signerOf({ material }: SigningKey): ExpectedSigner {
  if (material.kind === 'public-key') {
    const key = createPublicKey({ key: Buffer.from(material.spkiDer), format: 'der', type: 'spki' });
    return { kind: 'key', publicKey: key };
  }
  const { identity } = parseLeafCertificate(material.chainDer[0]);
  return {
    kind: 'identity',
    anyOf: [{ issuer: exactly(identity.issuer), subject: exactly(identity.subject) }],
  };
}

function entryOf({ logEntries }: VerifiedEvidence, trustRoot: TrustRoot): { entry?: RecordedLogEntry } {
  const [entry] = logEntries;
  if (entry === undefined) return {};
  const { logId, logIndex, integratedAt } = entry;
  const log = logKeysOf(trustRoot).find((key) => key.logId === logId)?.baseUrl ?? '';
  return {
    entry: { log, logId, logIndex, integratedTime: Math.floor((integratedAt?.getTime() ?? 0) / 1000) },
  };
}
