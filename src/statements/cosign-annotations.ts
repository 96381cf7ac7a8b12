import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { encodePem, verifierPem } from '../model/signature.ts';
import type { VerificationMaterial } from '../model/signature.ts';
import { findBase64 } from './base64.ts';
import { parseStrictJson } from './strict-json.ts';

const keys = {
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  chain: 'dev.sigstore.cosign/chain',
  bundle: 'dev.sigstore.cosign/bundle',
  timestamp: 'dev.sigstore.cosign/rfc3161timestamp',
  predicateType: 'predicateType',
} as const;

/** What the annotations of a layer in cosign's tag layout are made of. */
export interface LayerEvidence {
  /** Over the layer's bytes, for `.sig`; an envelope in `.att` carries its own. */
  readonly signature?: Uint8Array;
  readonly material: VerificationMaterial;
  /** The log entry, with its signed entry timestamp: so the layer verifies offline. */
  readonly entry?: TransparencyLogEntry;
  /** RFC 3161, DER: the whole response. */
  readonly timestamp?: Uint8Array;
  /** Of the statement in an `.att` layer. */
  readonly predicateType?: string;
}

/**
 * The annotations of one layer as cosign 3.1.3 writes them (pkg/oci/static): signature, certificate and chain (PEM; none
 * for a bare key), the log entry with its signed entry timestamp, an RFC 3161 timestamp, and the predicate type.
 * Throws ERR_COSIGN_ENTRY if the entry has no signed entry timestamp or log id.
 */
export function encodeCosignAnnotations(evidence: LayerEvidence): Readonly<Record<string, string>> {
  const { signature, material, entry, timestamp, predicateType } = evidence;
  return {
    [keys.signature]: signature === undefined ? '' : Buffer.from(signature).toString('base64'),
    ...(material.kind === 'certificate'
      ? {
          [keys.certificate]: verifierPem(material),
          [keys.chain]: material.chainDer
            .slice(1)
            .map((der) => encodePem('CERTIFICATE', der))
            .join(''),
        }
      : {}),
    ...(entry === undefined ? {} : { [keys.bundle]: encodeCosignEntry(entry) }),
    ...(timestamp === undefined
      ? {}
      : {
          [keys.timestamp]: JSON.stringify({
            SignedRFC3161Timestamp: Buffer.from(timestamp).toString('base64'),
          }),
        }),
    ...(predicateType === undefined ? {} : { [keys.predicateType]: predicateType }),
  };
}

/** What the annotations of a layer claim; absent where there is none, or an empty one as Chains writes. */
export interface UnverifiedLayerEvidence {
  readonly signature?: Uint8Array;
  readonly certificatePem?: string;
  /** Certificates of the chain without the leaf, one after the other. */
  readonly chainPem?: string;
  /** The log entry; it has no inclusion proof, its signed entry timestamp is what can be verified. */
  readonly entry?: TransparencyLogEntry;
  /** An RFC 3161 timestamp, DER. */
  readonly timestamp?: Uint8Array;
  readonly predicateType?: string;
}

/** Reads what a layer's annotations claim; nothing is verified. Throws ERR_COSIGN_ANNOTATIONS, which names the annotation. */
export function readCosignAnnotations(
  annotations: Readonly<Record<string, string>>,
): UnverifiedLayerEvidence {
  const text = (key: string) => (annotations[key] === '' ? undefined : annotations[key]);
  const signature = text(keys.signature);
  const certificatePem = text(keys.certificate);
  const chainPem = text(keys.chain);
  const bundle = text(keys.bundle);
  const timestamp = text(keys.timestamp);
  const predicateType = text(keys.predicateType);
  return {
    ...(signature === undefined ? {} : { signature: readBase64(signature, keys.signature) }),
    ...(certificatePem === undefined ? {} : { certificatePem }),
    ...(chainPem === undefined ? {} : { chainPem }),
    ...(bundle === undefined ? {} : { entry: readEntry(bundle) }),
    ...(timestamp === undefined ? {} : { timestamp: readTimestamp(timestamp) }),
    ...(predicateType === undefined ? {} : { predicateType }),
  };
}

/** What is signed about a blob instead of a layer, in the text forms that cosign's files have. */
export interface BlobSignature {
  /** base64. */
  readonly signature: string;
  readonly certificatePem?: string | undefined;
  /** The log entry as {@link encodeCosignEntry} gives it. */
  readonly entry?: string | undefined;
  /** A timestamp file of cosign: JSON with `SignedRFC3161Timestamp`. */
  readonly timestamp?: string | undefined;
}

/** A blob's signature as if the blob were a layer in cosign's tag layout, so that it is verified as one. */
export function annotationsOfBlob(blob: BlobSignature): Readonly<Record<string, string>> {
  const { signature, certificatePem = '', entry = '', timestamp = '' } = blob;
  return {
    [keys.signature]: signature,
    [keys.certificate]: certificatePem,
    [keys.bundle]: entry,
    [keys.timestamp]: timestamp,
  };
}

/** A log entry with its signed entry timestamp as cosign stores it (JSON). Throws ERR_COSIGN_ENTRY if it has none. */
export function encodeCosignEntry(entry: TransparencyLogEntry): string {
  const promise = entry.inclusionPromise?.signedEntryTimestamp;
  const logId = entry.logId?.keyId;
  if (promise === undefined || logId === undefined) {
    throw new AppError('ERR_COSIGN_ENTRY', 'the log entry has no signed entry timestamp or log id', {
      kind: 'bug',
    });
  }
  return JSON.stringify({
    SignedEntryTimestamp: promise.toString('base64'),
    Payload: {
      body: entry.canonicalizedBody.toString('base64'),
      integratedTime: Number(entry.integratedTime),
      logIndex: Number(entry.logIndex),
      logID: logId.toString('hex'),
    },
  });
}

const entryShape = z.object({
  SignedEntryTimestamp: z.string(),
  Payload: z.object({
    body: z.string(),
    integratedTime: z.int().nonnegative(),
    logIndex: z.int().nonnegative(),
    logID: z.string().regex(/^(?:[0-9a-f]{2})+$/i),
  }),
});
const bodyShape = z.object({ kind: z.string(), apiVersion: z.string() });

function readEntry(text: string): TransparencyLogEntry {
  const { SignedEntryTimestamp, Payload } = readJson(text, entryShape, keys.bundle);
  const body = readBase64(Payload.body, keys.bundle);
  const { kind, apiVersion } = readJson(body, bodyShape, keys.bundle);
  return {
    logIndex: String(Payload.logIndex),
    logId: { keyId: Buffer.from(Payload.logID, 'hex') },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(Payload.integratedTime),
    inclusionPromise: { signedEntryTimestamp: readBase64(SignedEntryTimestamp, keys.bundle) },
    inclusionProof: undefined,
    canonicalizedBody: body,
  };
}

function readTimestamp(text: string): Buffer {
  const shape = z.object({ SignedRFC3161Timestamp: z.string() });
  return readBase64(readJson(text, shape, keys.timestamp).SignedRFC3161Timestamp, keys.timestamp);
}

function readJson<Shape extends z.ZodType>(
  text: string | Uint8Array,
  shape: Shape,
  key: string,
): z.output<Shape> {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const json = parseStrictJson(bytes, limits.logAnswerBytes);
  if ('fault' in json) throw malformed(key, json.fault);
  const parsed = shape.safeParse(json.value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw malformed(key, `${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim());
}

function readBase64(text: string, key: string): Buffer {
  const bytes = findBase64(text);
  if (bytes === undefined || bytes.length === 0) throw malformed(key, 'it is no base64');
  return bytes;
}

function malformed(key: string, why: string): AppError {
  return new AppError('ERR_COSIGN_ANNOTATIONS', `the annotation ${key} of the layer is malformed: ${why}`, {
    kind: 'permanent',
    remedy: 'Sign the image again; if the layer is not yours, find out who pushed it.',
  });
}
