import { X509Certificate, createPublicKey, hash } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { parseEnvelope } from '../statements/dsse.ts';
import { badAnswer } from './log-http.ts';
import type { ListedEntry } from './log-reader.ts';
import type { LogProposal } from './transparency-log.ts';

const hex = z.string().regex(/^(?:[0-9a-f]{2})+$/);
const base64 = z.base64();
const index = z.int().nonnegative();
const maxProofHashes = 64;

const uuidText = z.string().regex(/^[0-9a-f]{64}(?:[0-9a-f]{16})?$/);

/** An entry as Rekor v1 answers with it (rekor, openapi.yaml, `LogEntry`). */
const entryShape = z.object({
  body: base64,
  integratedTime: index,
  logID: hex,
  logIndex: index,
  verification: z.object({
    signedEntryTimestamp: base64,
    inclusionProof: z.object({
      checkpoint: z.string(),
      hashes: z.array(hex).max(maxProofHashes),
      logIndex: index,
      rootHash: hex,
      treeSize: index,
    }),
  }),
});
/** By its UUID. */
const answerShape = z.record(uuidText, entryShape);
// More cannot match, since no more than two are asked for; shards may each have one.
const maxFound = 100;
const foundShape = z.array(answerShape).max(maxFound);
// What a reader of the whole log takes of an entry: it computes the tree from the bodies itself.
const listShape = z.array(
  z.record(uuidText, z.object({ body: base64, integratedTime: index, logIndex: index })),
);
const kindShape = z.object({ kind: z.string(), apiVersion: z.string() });
const sha256 = z.object({ algorithm: z.literal('sha256'), value: hex });
const anySha2 = z.object({ algorithm: z.enum(['sha256', 'sha384', 'sha512']), value: hex });

const dsseBody = z.object({
  kind: z.literal('dsse'),
  apiVersion: z.literal('0.0.1'),
  spec: z.object({
    envelopeHash: sha256,
    payloadHash: sha256,
    signatures: z.tuple([z.object({ signature: base64, verifier: base64 })]),
  }),
});
const hashedrekordBody = z.object({
  kind: z.literal('hashedrekord'),
  apiVersion: z.literal('0.0.1'),
  spec: z.object({
    data: z.object({ hash: anySha2 }),
    signature: z.object({ content: base64, publicKey: z.object({ content: base64 }) }),
  }),
});

/** The JSON by which Rekor v1 is asked to log a proposal: kind `dsse` or `hashedrekord`, version 0.0.1. */
export function encodeProposal(proposal: LogProposal): string {
  const verifier = Buffer.from(proposal.verifierPem).toString('base64');
  if (proposal.kind === 'dsse') {
    const proposedContent = { envelope: proposal.envelope, verifiers: [verifier] };
    return JSON.stringify({ apiVersion: '0.0.1', kind: 'dsse', spec: { proposedContent } });
  }
  const content = Buffer.from(proposal.signature).toString('base64');
  return JSON.stringify({
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: loggedHashOf(proposal) },
      signature: { content, publicKey: { content: verifier } },
    },
  });
}

/** The one entry in an answer of Rekor v1, in protobuf form; unverified. Throws ERR_LOG_ANSWER. */
export function parseEntryAnswer(
  body: Uint8Array,
  address: string,
): { readonly uuid: string; readonly entry: TransparencyLogEntry } {
  try {
    const entries = Object.entries(answerShape.parse(JSON.parse(Buffer.from(body).toString('utf8'))));
    const [found, another] = entries;
    if (found === undefined || another !== undefined) throw new Error(`it has ${entries.length} entries`);
    const [uuid, answer] = found;
    return { uuid, entry: toEntry(answer) };
  } catch (error) {
    throw badAnswer(address, 'it is no log entry with proof and timestamp', error);
  }
}

/** The entries in an answer of Rekor v1 to a search, in protobuf form; unverified. Throws ERR_LOG_ANSWER. */
export function parseFoundEntries(body: Uint8Array, address: string): readonly TransparencyLogEntry[] {
  try {
    const list = foundShape.parse(JSON.parse(Buffer.from(body).toString('utf8')));
    return list.flatMap((answer) => Object.values(answer).map(toEntry));
  } catch (error) {
    throw badAnswer(address, 'it is no list of log entries with proof and timestamp', error);
  }
}

function toEntry(answer: z.infer<typeof entryShape>): TransparencyLogEntry {
  const { inclusionProof: proof, signedEntryTimestamp } = answer.verification;
  const canonicalizedBody = Buffer.from(answer.body, 'base64');
  const { kind, apiVersion } = kindShape.parse(JSON.parse(canonicalizedBody.toString('utf8')));
  return {
    logIndex: String(answer.logIndex),
    logId: { keyId: Buffer.from(answer.logID, 'hex') },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(answer.integratedTime),
    inclusionPromise: { signedEntryTimestamp: Buffer.from(signedEntryTimestamp, 'base64') },
    inclusionProof: {
      logIndex: String(proof.logIndex),
      rootHash: Buffer.from(proof.rootHash, 'hex'),
      treeSize: String(proof.treeSize),
      hashes: proof.hashes.map((node) => Buffer.from(node, 'hex')),
      checkpoint: { envelope: proof.checkpoint },
    },
    canonicalizedBody,
  };
}

/** The entries in an answer of Rekor v1's `entries/retrieve`, in its order; unverified. Throws ERR_LOG_ANSWER. */
export function parseEntryList(body: Uint8Array, address: string): readonly ListedEntry[] {
  try {
    const list = listShape.parse(JSON.parse(Buffer.from(body).toString('utf8')));
    return list.flatMap((answer) =>
      Object.entries(answer).map(([name, entry]) => ({
        uuid: name,
        logIndex: entry.logIndex,
        body: Buffer.from(entry.body, 'base64'),
        integratedTime: entry.integratedTime,
      })),
    );
  } catch (error) {
    throw badAnswer(address, 'it is no list of log entries', error);
  }
}

/** Requires that an entry is about what was proposed: hashes, signature and verifier. Throws ERR_LOG_FOREIGN_ENTRY. */
export function requireOwnEntry(entry: TransparencyLogEntry, proposal: LogProposal, address: string): void {
  const body: unknown = JSON.parse(entry.canonicalizedBody.toString('utf8'));
  const difference = proposal.kind === 'dsse' ? differOfDsse(body, proposal) : differOfHash(body, proposal);
  if (difference === undefined) return;
  throw new AppError(
    'ERR_LOG_FOREIGN_ENTRY',
    `${address} answered with an entry for something else: ${difference} differs`,
    {
      kind: 'passing',
      object: address,
      remedy: 'Do not trust the log until its operator has explained this.',
    },
  );
}

function differOfDsse(body: unknown, proposal: Extract<LogProposal, { kind: 'dsse' }>): string | undefined {
  const parsed = dsseBody.safeParse(body);
  if (!parsed.success) return 'the form';
  const { envelopeHash, payloadHash, signatures } = parsed.data.spec;
  const envelope = parseEnvelope(Buffer.from(proposal.envelope));
  const [logged] = signatures;
  const isSigned = envelope.signatures.some(({ sig }) => Buffer.from(logged.signature, 'base64').equals(sig));
  if (payloadHash.value !== hash('sha256', envelope.payload)) return 'the payload';
  if (envelopeHash.value !== hash('sha256', proposal.envelope)) return 'the envelope';
  if (envelope.signatures.length !== 1 || !isSigned) return 'the signature';
  return isSameVerifier(logged.verifier, proposal.verifierPem) ? undefined : 'the certificate or key';
}

function differOfHash(
  body: unknown,
  proposal: Extract<LogProposal, { kind: 'hashedrekord' }>,
): string | undefined {
  const parsed = hashedrekordBody.safeParse(body);
  if (!parsed.success) return 'the form';
  const { data, signature } = parsed.data.spec;
  const { algorithm, value } = loggedHashOf(proposal);
  if (data.hash.algorithm !== algorithm || data.hash.value !== value) return 'the payload';
  if (!Buffer.from(signature.content, 'base64').equals(proposal.signature)) return 'the signature';
  return isSameVerifier(signature.publicKey.content, proposal.verifierPem)
    ? undefined
    : 'the certificate or key';
}

function loggedHashOf({ payloadSha256, digest }: Extract<LogProposal, { kind: 'hashedrekord' }>): {
  readonly algorithm: string;
  readonly value: string;
} {
  return digest === undefined
    ? { algorithm: 'sha256', value: payloadSha256 }
    : { algorithm: digest.algorithm, value: digest.hex };
}

/** Logs write PEM anew, so the bytes inside are compared. */
function isSameVerifier(loggedBase64: string, ownPem: string): boolean {
  try {
    const logged = Buffer.from(loggedBase64, 'base64').toString('utf8');
    return derOf(logged).equals(derOf(ownPem));
  } catch {
    // PEM that cannot be parsed is not ours, since ours can.
    return false;
  }
}

function derOf(pem: string): Buffer {
  return pem.includes('BEGIN CERTIFICATE')
    ? new X509Certificate(pem).raw
    : createPublicKey(pem).export({ format: 'der', type: 'spki' });
}
