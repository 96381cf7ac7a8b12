import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { findBase64 } from './base64.ts';
import { isJsonObject, parseStrictJson } from './strict-json.ts';
import type { JsonObject } from './strict-json.ts';

const text = z.string().nullish();
const number = z.union([z.string().regex(/^-?\d{1,19}$/), z.int()]).nullish();
const base64 = z
  .string()
  .refine((value) => findBase64(value) !== undefined, 'is no base64')
  .nullish();

const entry = z.strictObject({
  logIndex: number,
  logId: z.strictObject({ keyId: base64 }).nullish(),
  kindVersion: z.strictObject({ kind: text, version: text }).nullish(),
  integratedTime: number,
  inclusionPromise: z.strictObject({ signedEntryTimestamp: base64 }).nullish(),
  inclusionProof: z
    .strictObject({
      logIndex: number,
      rootHash: base64,
      treeSize: number,
      hashes: z.array(base64).nullish(),
      checkpoint: z.strictObject({ envelope: text }).nullish(),
    })
    .nullish(),
  canonicalizedBody: base64,
});
const certificate = z.strictObject({ rawBytes: base64 });
const timestamp = z.strictObject({ signedTimestamp: base64 });

/** Every field of sigstore/protobuf-specs, sigstore_bundle.proto, versions 0.1 to 0.3, in protobuf's JSON form. */
const bundle = z.strictObject({
  mediaType: z.string(),
  verificationMaterial: z.strictObject({
    publicKey: z.strictObject({ hint: text }).nullish(),
    x509CertificateChain: z.strictObject({ certificates: z.array(certificate).nullish() }).nullish(),
    certificate: certificate.nullish(),
    tlogEntries: z.array(entry).nullish(),
    timestampVerificationData: z.strictObject({ rfc3161Timestamps: z.array(timestamp).nullish() }).nullish(),
  }),
  messageSignature: z
    .strictObject({
      messageDigest: z.strictObject({ algorithm: z.string().nullish(), digest: base64 }).nullish(),
      signature: base64,
    })
    .nullish(),
  dsseEnvelope: z
    .strictObject({
      payload: base64,
      payloadType: text,
      signatures: z.array(z.strictObject({ sig: base64, keyid: text })).nullish(),
    })
    .nullish(),
});

/**
 * Requires of a Sigstore bundle, beyond what `parseBundle` reads of it, that every field is one that the format knows, as
 * protobuf's JSON rules have it: a field that we do not know may say what we would not accept. Of fields that exclude each
 * other one may be there. Throws ERR_BUNDLE for what is no JSON object, ERR_BUNDLE_FIELD otherwise.
 */
export function requireKnownFields(bytes: Uint8Array): void {
  const value = readObject(bytes);
  const parsed = bundle.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw fieldFault(`${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim());
  }
  const { verificationMaterial: material, messageSignature, dsseEnvelope } = parsed.data;
  requireOne('the content', [messageSignature, dsseEnvelope]);
  requireOne('the key', [material.publicKey, material.x509CertificateChain, material.certificate]);
}

/** The bytes as a JSON object. Throws ERR_BUNDLE. */
export function readObject(bytes: Uint8Array): JsonObject {
  const json = parseStrictJson(bytes, limits.envelopeBytes);
  if ('value' in json && isJsonObject(json.value)) return json.value;
  throw new AppError('ERR_BUNDLE', `this is no bundle: ${'fault' in json ? json.fault : 'no object'}`, {
    kind: 'permanent',
    remedy: 'Name the file that --bundle of the signing command wrote.',
  });
}

function requireOne(what: string, alternatives: readonly unknown[]): void {
  const given = alternatives.filter((alternative) => alternative !== undefined && alternative !== null);
  if (given.length > 1) throw fieldFault(`it states ${what} in ${given.length} ways`);
}

function fieldFault(why: string): AppError {
  return new AppError('ERR_BUNDLE_FIELD', `the bundle has a field that cannot be taken as it is: ${why}`, {
    kind: 'permanent',
    remedy: 'Sign the file again; if a newer tool wrote the bundle, use a release that knows its format.',
  });
}
