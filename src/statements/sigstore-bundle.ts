import { createHash } from 'node:crypto';
import {
  BUNDLE_V03_MEDIA_TYPE,
  ValidationError,
  assertBundleLatest,
  bundleFromJSON,
  bundleToJSON,
} from '@sigstore/bundle';
import type { Bundle } from '@sigstore/bundle';
import { HashAlgorithm } from '@sigstore/protobuf-specs';
import type { Bundle as BundleMessage, TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { AppError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import type { VerificationMaterial } from '../model/signature.ts';
import type { Envelope } from './dsse.ts';
import { parseStrictJson } from './strict-json.ts';

/** What goes into a bundle of an envelope. */
export interface BundleParts extends BundleWitness {
  readonly envelope: Envelope;
}

/** What goes into a bundle of a bare signature. */
export interface SignatureBundleParts extends BundleWitness {
  /** Of what was signed. */
  readonly digest: { readonly algorithm: 'sha256' | 'sha384' | 'sha512'; readonly bytes: Uint8Array };
  readonly signature: Uint8Array;
}

/** What vouches for a signature in a bundle. */
interface BundleWitness {
  readonly material: VerificationMaterial;
  /** Log entries with inclusion proof and checkpoint, as v0.3 demands them. */
  readonly entries: readonly TransparencyLogEntry[];
  /** RFC 3161 timestamps of the signature, DER (TimeStampResp). */
  readonly timestamps?: readonly Uint8Array[];
}

/**
 * A Sigstore bundle v0.3 (sigstore/protobuf-specs, sigstore_bundle.proto) as JSON bytes: of a certificate chain the leaf
 * alone, as v0.3 demands; a bare key as base64 of SHA-256 of its SPKI, as cosign gives the hint.
 * Throws ERR_BUNDLE_PARTS if an entry lacks its proof or the envelope has not one signature.
 */
export function encodeBundle(parts: BundleParts): Buffer {
  return encodeContent({ $case: 'dsseEnvelope', dsseEnvelope: toMessage(parts.envelope) }, parts);
}

const hashAlgorithms = {
  sha256: HashAlgorithm.SHA2_256,
  sha384: HashAlgorithm.SHA2_384,
  sha512: HashAlgorithm.SHA2_512,
} as const;

/** As {@link encodeBundle} for a signature over bytes that lie elsewhere, as `cosign sign-blob` makes it. */
export function encodeSignatureBundle(parts: SignatureBundleParts): Buffer {
  const { algorithm, bytes } = parts.digest;
  const messageDigest = { algorithm: hashAlgorithms[algorithm], digest: Buffer.from(bytes) };
  const messageSignature = { messageDigest, signature: Buffer.from(parts.signature) };
  return encodeContent({ $case: 'messageSignature', messageSignature }, parts);
}

function encodeContent(content: NonNullable<BundleMessage['content']>, parts: BundleWitness): Buffer {
  const bundle: BundleMessage = {
    mediaType: BUNDLE_V03_MEDIA_TYPE,
    verificationMaterial: {
      content: toKeyContent(parts.material),
      tlogEntries: [...parts.entries],
      timestampVerificationData: toTimestamps(parts.timestamps ?? []),
    },
    content,
  };
  try {
    assertBundleLatest(bundle);
  } catch (error) {
    throw new AppError('ERR_BUNDLE_PARTS', `the parts make no Sigstore bundle: ${fieldsOf(error)}`, {
      kind: 'bug',
      cause: error,
    });
  }
  return Buffer.from(JSON.stringify(bundleToJSON(bundle)));
}

/**
 * Parses a Sigstore bundle v0.1 to v0.3 of at most `limits.envelopeBytes`; strict JSON without doubled members. Nothing
 * is verified. Throws ERR_BUNDLE.
 */
export function parseBundle(bytes: Uint8Array): Bundle {
  const json = parseStrictJson(bytes, limits.envelopeBytes);
  if ('fault' in json) throw malformed(json.fault);
  try {
    return bundleFromJSON(json.value);
  } catch (error) {
    throw malformed(fieldsOf(error), error);
  }
}

function toKeyContent(
  material: VerificationMaterial,
): NonNullable<BundleMessage['verificationMaterial']>['content'] {
  if (material.kind === 'certificate') {
    return { $case: 'certificate', certificate: { rawBytes: Buffer.from(material.chainDer[0]) } };
  }
  const hint = createHash('sha256').update(material.spkiDer).digest('base64');
  return { $case: 'publicKey', publicKey: { hint } };
}

function toTimestamps(
  timestamps: readonly Uint8Array[],
): NonNullable<BundleMessage['verificationMaterial']>['timestampVerificationData'] {
  if (timestamps.length === 0) return undefined;
  return { rfc3161Timestamps: timestamps.map((der) => ({ signedTimestamp: Buffer.from(der) })) };
}

function toMessage(
  envelope: Envelope,
): Extract<NonNullable<BundleMessage['content']>, { $case: 'dsseEnvelope' }>['dsseEnvelope'] {
  return {
    payload: Buffer.from(envelope.payload),
    payloadType: envelope.payloadType,
    signatures: envelope.signatures.map(({ keyid, sig }) => ({ keyid, sig: Buffer.from(sig) })),
  };
}

function fieldsOf(error: unknown): string {
  return error instanceof ValidationError
    ? `faults in ${error.fields.join(', ')}`
    : 'its fields have wrong types';
}

function malformed(why: string, cause?: unknown): AppError {
  return new AppError('ERR_BUNDLE', `this is no Sigstore bundle: ${why}`, {
    kind: 'permanent',
    remedy: 'Sign the image again; if the bundle is not yours, find out who pushed it.',
    cause,
  });
}
