import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../model/clock.ts';
import { splitDigest } from '../model/digest.ts';
import type { SigningKey, VerificationMaterial } from '../model/signature.ts';
import { verifierPem } from '../model/signature.ts';
import { publicKeyOf } from '../signing/public-key-of.ts';
import { hashFor } from '../signing/signature-algorithm.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../statements/dsse.ts';
import type { Envelope } from '../statements/dsse.ts';
import type { LogProposal, TransparencyLog } from '../transparency/transparency-log.ts';
import { artifactKey } from './planned-artifact.ts';
import type { PlannedArtifact } from './planned-artifact.ts';
import { isWorthWitnessing, noTestimony } from './witnessing.ts';
import type { Testimony, WitnessedSignature, Witnesses } from './witnessing.ts';

/** An artifact with its signature and who vouched for it so far. */
export interface SignedArtifact {
  readonly planned: PlannedArtifact;
  readonly key: Pick<SigningKey, 'material' | 'fingerprint' | 'notAfter'>;
  readonly signature: Uint8Array;
  /** For statements: the DSSE envelope around the payload. */
  readonly envelope?: Envelope;
  readonly testimony: Testimony;
}

/**
 * Signs the payload with `key`, in the form that the artifact asks for (DSSE protocol v1.0 for statements), so that these
 * logs take it. Envelopes that no log is told of are signed over SHA-256, which every verifier takes without being told.
 */
export async function signArtifact(
  planned: PlannedArtifact,
  key: SigningKey,
  logs: readonly Pick<TransparencyLog, 'envelopeHash'>[],
): Promise<SignedArtifact> {
  if (planned.form === 'simple-signing') {
    return { planned, key, signature: await key.sign(planned.payload), testimony: noTestimony };
  }
  const envelopeHash = logs.length === 0 ? 'sha256' : logs.find((log) => log.envelopeHash)?.envelopeHash;
  const signature = await key.sign(preAuthEncoding(inTotoPayloadType, planned.payload), {
    hash: envelopeHash,
  });
  const envelope: Envelope = {
    payloadType: inTotoPayloadType,
    payload: planned.payload,
    signatures: [{ keyid: '', sig: signature }],
  };
  return { planned, key, signature, envelope, testimony: noTestimony };
}

/** What logs and timestamp authorities are told of the artifact. */
export function toWitnessed({ planned, key, signature, envelope }: SignedArtifact): WitnessedSignature {
  const { material } = key;
  const verifier = verifierPem(material);
  const proposal: LogProposal =
    envelope === undefined
      ? {
          kind: 'hashedrekord',
          payloadSha256: splitDigest(planned.payloadDigest).hex,
          digest: digestFor(planned.payload, material),
          signature,
          verifierPem: verifier,
        }
      : { kind: 'dsse', envelope: encodeEnvelope(envelope).toString('utf8'), verifierPem: verifier };
  return { signature, material, proposal };
}

/** A log checks a bare signature with the hash that fits the key: with Ed25519 it cannot at all. */
function digestFor(
  payload: Uint8Array,
  material: VerificationMaterial,
): NonNullable<Extract<LogProposal, { kind: 'hashedrekord' }>['digest']> {
  const algorithm = hashFor(publicKeyOf(material)) ?? 'sha256';
  return { algorithm, hex: hash(algorithm, payload) };
}

const maxPendingBytes = 256 * 1024 * 1024;
const maxPendingArtifacts = 2000;

/**
 * What is signed but not stored everywhere yet, by run, so that a retry sends the same signature and makes no second
 * log entry. In memory only, bounded; after a crash the artifact is signed anew, and the SigningRecord explains the
 * entry that was left behind.
 */
export class PendingSignatures {
  readonly #clock: Clock;
  readonly #artifacts = new LRUCache<string, SignedArtifact>({
    max: maxPendingArtifacts,
    maxSize: maxPendingBytes,
    sizeCalculation: (signed) => 4096 + 2 * signed.planned.payload.byteLength,
  });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The signed form of `planned` from an earlier try, unless its key expired before those who must vouch for it did. */
  find(runUid: string, planned: PlannedArtifact, witnesses: Witnesses): SignedArtifact | undefined {
    const key = `${runUid}/${artifactKey(planned)}`;
    const signed = this.#artifacts.get(key);
    if (signed === undefined) return undefined;
    const life = { notAfter: signed.key.notAfter, now: this.#clock.now() };
    if (isWorthWitnessing(signed.testimony, witnesses, life)) return { ...signed, planned };
    this.#artifacts.delete(key);
    return undefined;
  }

  keep(runUid: string, signed: SignedArtifact): void {
    this.#artifacts.set(`${runUid}/${artifactKey(signed.planned)}`, signed);
  }

  forget(runUid: string, artifacts: readonly PlannedArtifact[]): void {
    for (const artifact of artifacts) this.#artifacts.delete(`${runUid}/${artifactKey(artifact)}`);
  }
}
