import { hash } from 'node:crypto';
import {
  BUNDLE_V01_MEDIA_TYPE,
  BUNDLE_V02_MEDIA_TYPE,
  BUNDLE_V03_LEGACY_MEDIA_TYPE,
  BUNDLE_V03_MEDIA_TYPE,
} from '@sigstore/bundle';
import type { Bundle, TransparencyLogEntry } from '@sigstore/bundle';
import { pem } from '@sigstore/core';
import { HashAlgorithm } from '@sigstore/protobuf-specs';
import { mediaTypes } from '../model/oci.ts';
import { readCosignAnnotations } from '../statements/cosign-annotations.ts';
import type { UnverifiedLayerEvidence } from '../statements/cosign-annotations.ts';
import { parseEnvelope, preAuthEncoding } from '../statements/dsse.ts';
import { parseBundle } from '../statements/sigstore-bundle.ts';
import { verificationFault } from './verification-fault.ts';

/** Evidence as it lies beside an image: a Sigstore bundle, or a layer of cosign's tag layout. */
export type Evidence =
  | {
      readonly layout: 'bundle';
      /** The bundle's JSON, v0.1 to v0.3. */
      readonly bytes: Uint8Array;
      /** What was signed, for a bundle that holds a bare signature and no envelope. */
      readonly artifact?: Uint8Array;
    }
  | {
      readonly layout: 'tag';
      /** Of the layer: simple signing or DSSE envelope. */
      readonly mediaType: string;
      readonly content: Uint8Array;
      readonly annotations: Readonly<Record<string, string>>;
    };

/** Evidence in one form, whichever layout it was found in; parsed, not verified. */
export interface EvidenceMaterial {
  readonly bundle: Bundle;
  /** The payload that the signer meant: a DSSE envelope's, or the signed bytes themselves. */
  readonly payload: Uint8Array;
  /** DSSE's `payloadType`; absent where bytes were signed directly. */
  readonly payloadType?: string;
  /** The very bytes under the signature: DSSE's pre-authentication encoding, or the payload. */
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
}

type Content = Bundle['content'];

const knownBundles = new Set<string>([
  BUNDLE_V01_MEDIA_TYPE,
  BUNDLE_V02_MEDIA_TYPE,
  BUNDLE_V03_LEGACY_MEDIA_TYPE,
  BUNDLE_V03_MEDIA_TYPE,
]);
// As sigstore-go's internal/limits: more are no real evidence, and each costs a signature check.
const maxWitnesses = 32;

/**
 * Parses evidence of either layout. Throws ERR_BUNDLE, ERR_DSSE_ENVELOPE, ERR_COSIGN_ANNOTATIONS (the parsers' own),
 * ERR_VERIFY_MALFORMED, ERR_VERIFY_PAYLOAD_DIGEST.
 */
export function readEvidence(evidence: Evidence): EvidenceMaterial {
  const material = evidence.layout === 'bundle' ? fromBundle(evidence) : fromLayer(evidence);
  const { tlogEntries, timestampVerificationData } = material.bundle.verificationMaterial;
  const timestamps = timestampVerificationData?.rfc3161Timestamps ?? [];
  if (tlogEntries.length > maxWitnesses || timestamps.length > maxWitnesses) {
    throw malformed(`it has more than ${maxWitnesses} log entries or timestamps`);
  }
  return material;
}

function fromBundle({ bytes, artifact }: Extract<Evidence, { layout: 'bundle' }>): EvidenceMaterial {
  const bundle = parseBundle(bytes);
  if (!knownBundles.has(bundle.mediaType)) throw malformed(`${bundle.mediaType} is no known bundle version`);
  const material = bundle.verificationMaterial;
  const tlogEntries = material.tlogEntries.map(withoutBareProof);
  return fromContent({ ...bundle, verificationMaterial: { ...material, tlogEntries } }, artifact);
}

/** Early v0.1 bundles hold a proof without checkpoint, which proves nothing: their promise is what counts. */
function withoutBareProof(entry: TransparencyLogEntry): TransparencyLogEntry {
  const isBare = entry.inclusionProof !== undefined && entry.inclusionProof.checkpoint === undefined;
  return isBare ? { ...entry, inclusionProof: undefined } : entry;
}

function fromContent(bundle: Bundle, artifact: Uint8Array | undefined): EvidenceMaterial {
  if (bundle.content.$case === 'dsseEnvelope') {
    const { payload, payloadType, signatures } = bundle.content.dsseEnvelope;
    const [signature, another] = signatures;
    if (signature === undefined || another !== undefined)
      throw malformed('its envelope has not one signature');
    const signedBytes = preAuthEncoding(payloadType, payload);
    return { bundle, payload, payloadType, signedBytes, signature: signature.sig };
  }
  if (artifact === undefined) throw malformed('it holds a bare signature, and what was signed is not given');
  const { messageDigest, signature } = bundle.content.messageSignature;
  if (!digestFor(messageDigest.algorithm, artifact).equals(messageDigest.digest)) {
    throw verificationFault('ERR_VERIFY_PAYLOAD_DIGEST', "the bundle's digest is not that of the content");
  }
  return { bundle, payload: artifact, signedBytes: artifact, signature };
}

function digestFor(algorithm: HashAlgorithm, bytes: Uint8Array): Buffer {
  switch (algorithm) {
    case HashAlgorithm.SHA2_256:
      return hash('sha256', bytes, 'buffer');
    case HashAlgorithm.SHA2_384:
      return hash('sha384', bytes, 'buffer');
    case HashAlgorithm.SHA2_512:
      return hash('sha512', bytes, 'buffer');
    default:
      throw malformed('its digest is of an unsupported algorithm');
  }
}

function fromLayer(layer: Extract<Evidence, { layout: 'tag' }>): EvidenceMaterial {
  const claims = readCosignAnnotations(layer.annotations);
  const content = layerContent(layer, claims.signature);
  return fromContent(
    {
      mediaType: BUNDLE_V01_MEDIA_TYPE,
      verificationMaterial: {
        content: layerSigner(claims),
        tlogEntries: claims.entry === undefined ? [] : [toEntry(claims.entry)],
        timestampVerificationData:
          claims.timestamp === undefined
            ? undefined
            : { rfc3161Timestamps: [{ signedTimestamp: Buffer.from(claims.timestamp) }] },
      },
      content,
    },
    layer.content,
  );
}

function layerContent(
  { mediaType, content }: Extract<Evidence, { layout: 'tag' }>,
  signature: Uint8Array | undefined,
): Content {
  if (mediaType === mediaTypes.dsseEnvelope) {
    const { payload, payloadType, signatures } = parseEnvelope(content);
    return {
      $case: 'dsseEnvelope',
      dsseEnvelope: {
        payload: Buffer.from(payload),
        payloadType,
        signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: Buffer.from(sig) })),
      },
    };
  }
  if (mediaType !== mediaTypes.simpleSigning) throw malformed(`layers of type ${mediaType} are no evidence`);
  if (signature === undefined) throw malformed('the layer has no signature');
  const messageDigest = { algorithm: HashAlgorithm.SHA2_256, digest: hash('sha256', content, 'buffer') };
  return {
    $case: 'messageSignature',
    messageSignature: { messageDigest, signature: Buffer.from(signature) },
  };
}

function layerSigner(claims: UnverifiedLayerEvidence): Bundle['verificationMaterial']['content'] {
  if (claims.certificatePem === undefined) return { $case: 'publicKey', publicKey: { hint: '' } };
  return { $case: 'certificate', certificate: { rawBytes: pem.toDER(claims.certificatePem) } };
}

function toEntry(entry: NonNullable<UnverifiedLayerEvidence['entry']>): TransparencyLogEntry {
  const { logId, kindVersion } = entry;
  if (logId === undefined || kindVersion === undefined)
    throw malformed('its log entry has no log id or kind');
  return { ...entry, logId, kindVersion };
}

function malformed(why: string): Error {
  return verificationFault('ERR_VERIFY_MALFORMED', `the evidence cannot be verified: ${why}`);
}
