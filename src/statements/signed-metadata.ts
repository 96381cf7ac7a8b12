import { z } from 'zod';
import { limits } from '../model/limits.ts';
import { encodeOlpcJson } from './canonical-json.ts';
import { encodeEnvelope, inTotoPayloadType, parseEnvelope, preAuthEncoding } from './dsse.ts';
import { layoutFault } from './layout-fault.ts';
import { isJsonObject, parseStrictJson } from './strict-json.ts';
import type { JsonObject } from './strict-json.ts';

/** A signature of in-toto metadata; who made it is a hint until it was verified. */
export interface MetadataSignature {
  readonly keyid: string;
  readonly sig: Uint8Array;
}

/** An in-toto layout or link with its signatures, in whichever wrapping. Parsed, nothing verified. */
export interface SignedMetadata {
  readonly wrapping: 'metablock' | 'dsse';
  readonly signed: JsonObject;
  /** Of a DSSE envelope that was read: its signatures are over these very bytes. */
  readonly payload?: Uint8Array;
  /** What the signatures are made over. */
  readonly signedBytes: Uint8Array;
  readonly signatures: readonly MetadataSignature[];
}

const maxSignatures = 64;
const hex = z
  .string()
  .regex(/^(?:[\da-f]{2})*$/i)
  .max(32 * 1024);
const metablock = z.object({
  signed: z.custom<JsonObject>(),
  signatures: z
    .array(
      z.object({
        keyid: z.string().max(256).default(''),
        // A signature of GPG has another form; it counts as none.
        sig: hex.optional(),
      }),
    )
    .max(maxSignatures),
});

/**
 * Parses a metablock (`signed` and `signatures` over canonical JSON) or a DSSE envelope of in-toto metadata. Throws
 * ERR_LAYOUT_FORMAT, ERR_DSSE_ENVELOPE.
 */
export function parseSignedMetadata(bytes: Uint8Array, object: string): SignedMetadata {
  const json = readObject(bytes, object);
  if ('payload' in json) return fromEnvelope(bytes, object);
  const parsed = metablock.safeParse(json);
  if (!parsed.success || !isJsonObject(parsed.data.signed)) {
    throw layoutFault('ERR_LAYOUT_FORMAT', object, 'it is neither a metablock nor a DSSE envelope');
  }
  const { signed, signatures } = parsed.data;
  return {
    wrapping: 'metablock',
    signed,
    signedBytes: bytesToSign('metablock', signed, object),
    signatures: signatures.flatMap(toSignature),
  };
}

function toSignature({
  keyid,
  sig = '',
}: z.infer<typeof metablock>['signatures'][number]): MetadataSignature[] {
  return sig === '' ? [] : [{ keyid, sig: Buffer.from(sig, 'hex') }];
}

function fromEnvelope(bytes: Uint8Array, object: string): SignedMetadata {
  const { payload, payloadType, signatures } = parseEnvelope(bytes);
  if (payloadType !== inTotoPayloadType) {
    throw layoutFault('ERR_LAYOUT_FORMAT', object, `its payload is ${payloadType.slice(0, 100)}`);
  }
  const signed = readObject(payload, object);
  return {
    wrapping: 'dsse',
    signed,
    payload,
    signedBytes: preAuthEncoding(payloadType, payload),
    signatures,
  };
}

/** The JSON object in metadata. Throws ERR_LAYOUT_FORMAT. */
export function readObject(bytes: Uint8Array, object: string): JsonObject {
  const json = parseStrictJson(bytes, limits.envelopeBytes);
  if ('fault' in json) throw layoutFault('ERR_LAYOUT_FORMAT', object, `it is ${json.fault}`);
  if (isJsonObject(json.value)) return json.value;
  throw layoutFault('ERR_LAYOUT_FORMAT', object, 'it is no JSON object');
}

/** What has to be signed of metadata in a wrapping. Throws ERR_LAYOUT_FORMAT for numbers that have no canonical form. */
export function bytesToSign(
  wrapping: SignedMetadata['wrapping'],
  signed: JsonObject,
  object: string,
): Buffer {
  if (wrapping === 'dsse') return preAuthEncoding(inTotoPayloadType, Buffer.from(JSON.stringify(signed)));
  const bytes = encodeOlpcJson(signed);
  if (bytes !== undefined) return bytes;
  throw layoutFault('ERR_LAYOUT_FORMAT', object, 'it has numbers that canonical JSON cannot hold');
}

/** Metadata with its signatures, as a file holds it. */
export function encodeSignedMetadata({
  wrapping,
  signed,
  payload,
  signatures,
}: Omit<SignedMetadata, 'signedBytes'>): Buffer {
  if (wrapping === 'dsse') {
    const content = payload ?? Buffer.from(JSON.stringify(signed));
    return encodeEnvelope({ payloadType: inTotoPayloadType, payload: content, signatures });
  }
  const encoded = signatures.map(({ keyid, sig }) => ({ keyid, sig: Buffer.from(sig).toString('hex') }));
  return Buffer.from(`${JSON.stringify({ signed, signatures: encoded }, undefined, 1)}\n`);
}
