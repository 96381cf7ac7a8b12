import { hash } from 'node:crypto';
import { Witnessing, noTestimony } from '../../attestation/witnessing.ts';
import type { Testimony, Witnesses } from '../../attestation/witnessing.ts';
import { AppError } from '../../model/errors.ts';
import { verifierPem } from '../../model/signature.ts';
import type { SigningKey, VerificationMaterial } from '../../model/signature.ts';
import { publicKeyOf } from '../../signing/public-key-of.ts';
import { hashFor } from '../../signing/signature-algorithm.ts';
import { encodeCosignBundle } from '../../statements/cosign-bundle.ts';
import { encodeSignatureBundle } from '../../statements/sigstore-bundle.ts';

/** The digest of a file, by the hash that its signature is made with. */
interface BlobDigest {
  readonly algorithm: 'sha256' | 'sha384' | 'sha512';
  readonly bytes: Buffer;
}

/** A file's signature with what vouches for it. */
export interface BlobSigned {
  readonly digest: BlobDigest;
  readonly signature: Uint8Array;
  readonly material: VerificationMaterial;
  readonly testimony: Testimony;
}

/**
 * Signs `blob` and has the signature stamped and logged, as `hashedrekord`, by all who are asked to. Throws
 * ERR_SIGN_BLOB_LOG for a key that this kind of entry cannot be made with, and what key and witnesses throw.
 */
export async function signBlob(
  blob: Uint8Array,
  key: SigningKey,
  { witnesses, signal }: { readonly witnesses: Witnesses; readonly signal: AbortSignal },
): Promise<BlobSigned> {
  const algorithm = algorithmOf(key);
  if (witnesses.logs.length > 0 && algorithm === undefined) throw unloggable();
  const digest = digestWith(algorithm ?? 'sha256', blob);
  const signature = await key.sign(blob);
  const { material } = key;
  const proposal = {
    kind: 'hashedrekord',
    payloadSha256: hash('sha256', blob, 'hex'),
    digest: { algorithm: digest.algorithm, hex: digest.bytes.toString('hex') },
    signature,
    verifierPem: verifierPem(material),
  } as const;
  const signed = { signature, material, proposal };
  const options = { signal, onProgress: () => undefined };
  const testimony = await new Witnessing().complete(signed, noTestimony, witnesses, options);
  return { digest, signature, material, testimony };
}

/**
 * The bundle file: a Sigstore bundle v0.3, or cosign's own, which holds one entry of a Rekor v1. Throws ERR_SIGN_BLOB_BUNDLE
 * where cosign's own cannot hold what there is.
 */
export function encodeBlobBundle(signed: BlobSigned, format: 'sigstore' | 'cosign'): Uint8Array {
  const { signature, material, digest, testimony } = signed;
  const entries = testimony.entries.map(({ entry }) => entry);
  if (format === 'cosign') {
    const entry = entries.find(({ inclusionPromise }) => inclusionPromise !== undefined);
    if (entry === undefined && entries.length > 0) throw unbundled();
    return Buffer.from(encodeCosignBundle({ signature, material, entry }));
  }
  const timestamps = testimony.timestamps.map(({ der }) => der);
  return encodeSignatureBundle({ digest, signature, material, entries, timestamps });
}

/** The hash that the key signs with; none for Ed25519, which takes the file as it is. */
function algorithmOf({ material }: SigningKey): BlobDigest['algorithm'] | undefined {
  return hashFor(publicKeyOf(material));
}

function digestWith(algorithm: BlobDigest['algorithm'], blob: Uint8Array): BlobDigest {
  return { algorithm, bytes: hash(algorithm, blob, 'buffer') };
}

function unloggable(): AppError {
  return new AppError(
    'ERR_SIGN_BLOB_LOG',
    'a log is told of a digest, and an Ed25519 key signs the file itself: it cannot be logged',
    {
      kind: 'permanent',
      remedy:
        'Sign with --tlog-upload=false and verify with --insecure-ignore-tlog, or use an ECDSA or RSA key.',
    },
  );
}

function unbundled(): AppError {
  return new AppError('ERR_SIGN_BLOB_BUNDLE', "cosign's own bundle cannot hold an entry of Rekor v2", {
    kind: 'permanent',
    remedy: 'Leave --new-bundle-format=false away, or log to a Rekor v1.',
  });
}
