import { dsse } from '@sigstore/core';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { findBase64 } from './base64.ts';
import { parseStrictJson } from './strict-json.ts';

/** Payload type of in-toto statements in an envelope (in-toto attestation specification, envelope.md). */
export const inTotoPayloadType = 'application/vnd.in-toto+json';

/** More signatures than this on one envelope are no real envelope. */
const maxSignatures = 64;

/** A signature of an envelope; `keyid` is a hint without authority, `''` where there is none. */
export interface EnvelopeSignature {
  readonly keyid: string;
  readonly sig: Uint8Array;
}

/** A DSSE envelope (secure-systems-lab/dsse, envelope.md) with its base64 fields decoded. */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly EnvelopeSignature[];
}

/** What an envelope's signature is made over: `DSSEv1 LEN(type) type LEN(payload) payload` (protocol.md), lengths in bytes. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  return dsse.preAuthEncoding(
    payloadType,
    Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
  );
}

/** The envelope as JSON bytes, in cosign's order of members; the same bytes for the same envelope. */
export function encodeEnvelope(envelope: Envelope): Buffer {
  const signatures = envelope.signatures.map(({ keyid, sig }) => ({
    ...(keyid === '' ? {} : { keyid }),
    sig: Buffer.from(sig).toString('base64'),
  }));
  const payload = Buffer.from(envelope.payload).toString('base64');
  return Buffer.from(JSON.stringify({ payloadType: envelope.payloadType, payload, signatures }));
}

const base64 = z.string().transform((text, context) => {
  const bytes = findBase64(text);
  if (bytes !== undefined) return bytes;
  context.addIssue({ code: 'custom', message: 'is no base64' });
  return z.NEVER;
});
const envelopeShape = z.object({
  payloadType: z.string().min(1),
  payload: base64,
  signatures: z
    .array(
      z.object({
        keyid: z
          .string()
          .nullish()
          .transform((keyid) => keyid ?? ''),
        sig: base64.refine((sig) => sig.length > 0, 'is empty'),
      }),
    )
    .min(1)
    .max(maxSignatures),
});

/**
 * Parses an envelope of at most `limits.envelopeBytes`: strict JSON without doubled members, canonical base64 (standard or
 * URL-safe), 1 to 64 signatures; unknown members are ignored, as the specification asks. Nothing is verified.
 * Throws ERR_DSSE_ENVELOPE.
 */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  const json = parseStrictJson(bytes, limits.envelopeBytes);
  if ('fault' in json) throw malformed(json.fault);
  const parsed = envelopeShape.safeParse(json.value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw malformed(`${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim());
}

function malformed(why: string): AppError {
  return new AppError('ERR_DSSE_ENVELOPE', `this is no DSSE envelope: ${why}`, {
    kind: 'permanent',
    remedy: 'Attest the image again; if the envelope is not yours, find out who pushed it.',
  });
}
