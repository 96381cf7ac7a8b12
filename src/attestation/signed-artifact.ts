import { LRUCache } from 'lru-cache';
import type { Clock } from '../model/clock.ts';
import { splitDigest } from '../model/digest.ts';
import type { SigningKey } from '../model/signature.ts';
import { verifierPem } from '../model/signature.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../statements/dsse.ts';
import type { Envelope } from '../statements/dsse.ts';
import type { LoggedEntry, LogProposal, TransparencyLog } from '../transparency/transparency-log.ts';
import { artifactKey } from './planned-artifact.ts';
import type { PlannedArtifact } from './planned-artifact.ts';

/** An artifact with its signature and, once it is logged, its log entry. */
export interface SignedArtifact {
  readonly planned: PlannedArtifact;
  readonly key: Pick<SigningKey, 'material' | 'fingerprint' | 'notAfter'>;
  readonly signature: Uint8Array;
  /** For statements: the DSSE envelope around the payload. */
  readonly envelope?: Envelope;
  readonly entry?: LoggedEntry;
}

/** Signs the payload with `key`, in the form that the artifact asks for (DSSE protocol v1.0 for statements). */
export async function signArtifact(planned: PlannedArtifact, key: SigningKey): Promise<SignedArtifact> {
  if (planned.form === 'simple-signing') {
    return { planned, key, signature: await key.sign(planned.payload) };
  }
  const signature = await key.sign(preAuthEncoding(inTotoPayloadType, planned.payload));
  const envelope: Envelope = {
    payloadType: inTotoPayloadType,
    payload: planned.payload,
    signatures: [{ keyid: '', sig: signature }],
  };
  return { planned, key, signature, envelope };
}

/** Gives the artifact with its entry in `log`; an artifact that has one stays as it is. */
export async function logArtifact(
  signed: SignedArtifact,
  log: TransparencyLog,
  options: { readonly signal: AbortSignal },
): Promise<SignedArtifact> {
  if (signed.entry !== undefined) return signed;
  return { ...signed, entry: await log.append(proposalOf(signed), options) };
}

function proposalOf({ planned, key, signature, envelope }: SignedArtifact): LogProposal {
  const verifier = verifierPem(key.material);
  return envelope === undefined
    ? {
        kind: 'hashedrekord',
        payloadSha256: splitDigest(planned.payloadDigest).hex,
        signature,
        verifierPem: verifier,
      }
    : { kind: 'dsse', envelope: encodeEnvelope(envelope).toString('utf8'), verifierPem: verifier };
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

  /** The signed form of `planned` from an earlier try, unless its key expired before the log took it. */
  find(runUid: string, planned: PlannedArtifact): SignedArtifact | undefined {
    const key = `${runUid}/${artifactKey(planned)}`;
    const signed = this.#artifacts.get(key);
    if (signed === undefined) return undefined;
    const expiry = signed.key.notAfter;
    const isUsable = signed.entry !== undefined || expiry === undefined || expiry > this.#clock.now();
    if (isUsable) return { ...signed, planned };
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
