import { hash } from 'node:crypto';
import { BUNDLE_V01_MEDIA_TYPE } from '@sigstore/bundle';
import { mediaTypes } from '../../model/oci.ts';
import type { Evidence } from '../../signing/evidence-material.ts';
import { verificationFault } from '../../signing/verification-fault.ts';
import { annotationsOfBlob } from '../../statements/cosign-annotations.ts';
import type { BlobSignature } from '../../statements/cosign-annotations.ts';
import { isCosignBundle, readCosignBundle } from '../../statements/cosign-bundle.ts';
import { parseBundle } from '../../statements/sigstore-bundle.ts';
import { readObject, requireKnownFields } from '../../statements/strict-bundle.ts';
import { isJsonObject } from '../../statements/strict-json.ts';
import type { JsonObject } from '../../statements/strict-json.ts';

/**
 * Evidence for `blob` from a bundle file: a Sigstore bundle v0.1 to v0.3, or cosign's own. Parsed, not verified; of a
 * Sigstore bundle every field must be known, and each log entry have the proof that the version demands. Throws ERR_BUNDLE,
 * ERR_BUNDLE_FIELD, ERR_COSIGN_BUNDLE, ERR_VERIFY_SET, ERR_VERIFY_INCLUSION_PROOF, ERR_VERIFY_CHECKPOINT.
 */
export function readBlobBundle(bytes: Uint8Array, blob: Uint8Array): Evidence {
  const json = readObject(bytes);
  if (isCosignBundle(json)) return evidenceOfSignature(readCosignBundle(json), blob);
  requireKnownFields(bytes);
  requireProofs(json);
  const stated = withDigest(json, blob) ?? bytes;
  parseBundle(stated);
  return { layout: 'bundle', bytes: stated, artifact: blob };
}

/** With an Ed25519 key cosign 3.1.3 states no digest, which the format demands; the signature is over the file itself. */
function withDigest(json: JsonObject, blob: Uint8Array): Uint8Array | undefined {
  const { messageSignature } = json;
  if (!isJsonObject(messageSignature)) return undefined;
  const { messageDigest } = messageSignature;
  if (!isJsonObject(messageDigest) || Object.keys(messageDigest).length > 0) return undefined;
  const digest = { algorithm: 'SHA2_256', digest: hash('sha256', blob, 'base64') };
  const signature = { ...messageSignature, messageDigest: digest };
  return Buffer.from(JSON.stringify({ ...json, messageSignature: signature }));
}

/** Evidence for `blob` from a signature that stands alone. */
export function evidenceOfSignature(signature: BlobSignature, blob: Uint8Array): Evidence {
  const annotations = annotationsOfBlob(signature);
  return { layout: 'tag', mediaType: mediaTypes.simpleSigning, content: blob, annotations };
}

interface BundleJson {
  readonly mediaType?: string;
  readonly verificationMaterial?: {
    readonly tlogEntries?:
      | readonly {
          readonly inclusionPromise?: unknown;
          readonly inclusionProof?: { readonly checkpoint?: unknown } | null;
        }[]
      | null;
  };
}

/** What the parser would call a malformed bundle is told as what is missing. */
function requireProofs(json: object): void {
  const { mediaType, verificationMaterial } = json as BundleJson;
  for (const entry of verificationMaterial?.tlogEntries ?? []) {
    if (mediaType === BUNDLE_V01_MEDIA_TYPE) {
      if (isPresent(entry.inclusionPromise)) continue;
      throw verificationFault('ERR_VERIFY_SET', 'the log entry has no signed entry timestamp');
    }
    if (!isPresent(entry.inclusionProof)) {
      throw verificationFault('ERR_VERIFY_INCLUSION_PROOF', 'the log entry has no inclusion proof');
    }
    if (!isPresent(entry.inclusionProof.checkpoint)) {
      throw verificationFault('ERR_VERIFY_CHECKPOINT', 'the inclusion proof has no checkpoint');
    }
  }
}

function isPresent<Value>(value: Value | null | undefined): value is Value {
  return value !== undefined && value !== null;
}
