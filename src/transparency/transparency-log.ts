import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import type { RecordedLogEntry } from '../model/signing-record.ts';

/** What is to be logged about one signature. */
export type LogProposal =
  | {
      readonly kind: 'dsse';
      /** The envelope's JSON, byte by byte as it is stored beside the image. */
      readonly envelope: string;
      /** Certificate or public key, PEM. */
      readonly verifierPem: string;
    }
  | {
      readonly kind: 'hashedrekord';
      /** SHA-256 of the payload, lower-case hex. */
      readonly payloadSha256: string;
      /** The digest that is logged instead, for a signature over another hash: Rekor v1 checks it with that alone. */
      readonly digest?: { readonly algorithm: 'sha256' | 'sha384' | 'sha512'; readonly hex: string };
      readonly signature: Uint8Array;
      /** Certificate or public key, PEM. */
      readonly verifierPem: string;
    };

/** An entry that a log holds; its proofs were verified when it was taken over. */
export interface LoggedEntry {
  /** With inclusion proof and checkpoint, and, from Rekor v1, inclusion promise. */
  readonly entry: TransparencyLogEntry;
  readonly recorded: RecordedLogEntry;
  /** How the log names the entry; absent for logs without such names (Rekor v2). */
  readonly uuid?: string;
}

/** A transparency log that takes entries. */
export interface TransparencyLog {
  /** Base URL. */
  readonly url: string;
  /** The one hash under an envelope's signature that it takes, whatever curve the key is of; absent: the key's own. */
  readonly envelopeHash?: 'sha256';
  /**
   * True if it vouches for the time at which it takes an entry, as Rekor v1 does with its signed entry timestamp: then an
   * entry proves nothing once the certificate has expired, and cosign's tags can hold it.
   */
  readonly tellsTime: boolean;
  /**
   * Logs a signature, or gives the entry that the log already has for it; the answer is verified before it is
   * believed. Errors: ERR_LOG_UNREACHABLE and ERR_LOG_UNAVAILABLE (passing), ERR_LOG_REFUSED, ERR_LOG_ANSWER,
   * ERR_LOG_UNTRUSTED, ERR_LOG_SET, ERR_LOG_INCLUSION_PROOF, ERR_LOG_CHECKPOINT, ERR_LOG_FOREIGN_ENTRY,
   * ERR_LOG_ENTRY_TIME (passing).
   */
  append(proposal: LogProposal, options: { readonly signal: AbortSignal }): Promise<LoggedEntry>;
}
