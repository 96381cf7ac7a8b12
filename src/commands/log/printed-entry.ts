import { X509Certificate, createPublicKey, hash } from 'node:crypto';
import type { InclusionProof } from '@sigstore/protobuf-specs';
import { z } from 'zod';
import { isAppError } from '../../model/errors.ts';
import { parseLeafCertificate } from '../../signing/leaf-certificate.ts';
import type { LoggedEntry } from '../../transparency/transparency-log.ts';

/** A verified log entry in a form for people and programs. */
export interface PrintedEntry {
  readonly uuid: string;
  readonly logIndex: number;
  readonly logId: string;
  /** RFC 3339. */
  readonly integratedTime: string;
  /** Kind and version of the entry. */
  readonly kind: string;
  /** SHA-256 of what was signed: an envelope's payload, or the signed bytes. */
  readonly payloadHash?: string;
  /** SHA-256 of the envelope. */
  readonly envelopeHash?: string;
  readonly signer?: PrintedSigner;
  readonly inclusionProof?: PrintedProof;
  /** What was verified of it before it was printed. */
  readonly verified: readonly string[];
}

/** The proof that the log's tree holds an entry; hashes in hex. */
interface PrintedProof {
  readonly logIndex: number;
  readonly treeSize: number;
  readonly rootHash: string;
  readonly hashes: readonly string[];
  /** Signed note of the log. */
  readonly checkpoint: string;
}

/** The certificate or key in an entry. */
interface PrintedSigner {
  readonly subject?: string;
  readonly issuer?: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
  /** SHA-256 over the key's SPKI, hex. */
  readonly keyFingerprint: string;
  readonly pem: string;
}

const hashed = z.object({ algorithm: z.string(), value: z.string() });
const dsse = z.object({
  kind: z.literal('dsse'),
  spec: z.object({
    envelopeHash: hashed,
    payloadHash: hashed,
    signatures: z.array(z.object({ verifier: z.string() })).min(1),
  }),
});
const hashedrekord = z.object({
  kind: z.literal('hashedrekord'),
  spec: z.object({
    data: z.object({ hash: hashed }),
    signature: z.object({ publicKey: z.object({ content: z.string() }) }),
  }),
});
const intoto = z.object({
  kind: z.literal('intoto'),
  spec: z.object({
    content: z.object({ hash: hashed.optional(), payloadHash: hashed }),
    publicKey: z.string().optional(),
  }),
});

/** Brings an entry, whose proofs the log client has verified, into the form that is printed. */
export function toPrintedEntry({ entry, recorded, uuid = '' }: LoggedEntry): PrintedEntry {
  const { kind, version } = entry.kindVersion ?? { kind: '', version: '' };
  return {
    uuid,
    logIndex: recorded.logIndex,
    logId: recorded.logId,
    integratedTime: new Date(recorded.integratedTime * 1000).toISOString(),
    kind: `${kind} ${version}`,
    ...bodyOf(entry.canonicalizedBody),
    ...(entry.inclusionProof === undefined ? {} : { inclusionProof: toPrintedProof(entry.inclusionProof) }),
    verified: ['signed entry timestamp', 'inclusion proof', 'checkpoint'],
  };
}

function toPrintedProof(proof: InclusionProof): PrintedProof {
  return {
    logIndex: Number(proof.logIndex),
    treeSize: Number(proof.treeSize),
    rootHash: proof.rootHash.toString('hex'),
    hashes: proof.hashes.map((node) => node.toString('hex')),
    checkpoint: proof.checkpoint?.envelope ?? '',
  };
}

type Body = Pick<PrintedEntry, 'payloadHash' | 'envelopeHash' | 'signer'>;

/** Entries of other kinds are printed without what only their kind tells. */
function bodyOf(bytes: Buffer): Body {
  const json: unknown = JSON.parse(bytes.toString('utf8'));
  const envelope = dsse.safeParse(json).data?.spec;
  if (envelope !== undefined) {
    return {
      payloadHash: digestOf(envelope.payloadHash),
      envelopeHash: digestOf(envelope.envelopeHash),
      ...signerOf(envelope.signatures[0]?.verifier),
    };
  }
  const blob = hashedrekord.safeParse(json).data?.spec;
  if (blob !== undefined) {
    return { payloadHash: digestOf(blob.data.hash), ...signerOf(blob.signature.publicKey.content) };
  }
  const older = intoto.safeParse(json).data?.spec;
  if (older === undefined) return {};
  const { hash: envelopeHash, payloadHash } = older.content;
  return {
    payloadHash: digestOf(payloadHash),
    ...(envelopeHash === undefined ? {} : { envelopeHash: digestOf(envelopeHash) }),
    ...signerOf(older.publicKey),
  };
}

function digestOf({ algorithm, value }: z.infer<typeof hashed>): string {
  return `${algorithm}:${value}`;
}

function signerOf(base64: string | undefined): Pick<PrintedEntry, 'signer'> {
  if (base64 === undefined) return {};
  const pem = Buffer.from(base64, 'base64').toString('latin1');
  try {
    if (!pem.includes('BEGIN CERTIFICATE')) {
      return { signer: { keyFingerprint: fingerprintOf(createPublicKey(pem)), pem } };
    }
    const certificate = new X509Certificate(pem);
    const keyFingerprint = fingerprintOf(certificate.publicKey);
    return { signer: { ...identityOf(certificate.raw), keyFingerprint, pem } };
  } catch {
    // Anybody may log what is no certificate; the entry is printed without a signer.
    return {};
  }
}

function identityOf(der: Uint8Array): Omit<PrintedSigner, 'keyFingerprint' | 'pem'> {
  try {
    const { identity, notBefore, notAfter } = parseLeafCertificate(der, { issuerIsOptional: true });
    const { subject, issuer } = identity;
    return { subject, issuer, notBefore: notBefore.toISOString(), notAfter: notAfter.toISOString() };
  } catch (error) {
    if (isAppError(error)) return {};
    throw error;
  }
}

function fingerprintOf(key: ReturnType<typeof createPublicKey>): string {
  return hash('sha256', key.export({ format: 'der', type: 'spki' }), 'hex');
}
