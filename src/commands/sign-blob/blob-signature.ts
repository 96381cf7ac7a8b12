import { createPublicKey, hash } from 'node:crypto';
import { AppError } from '../../model/errors.ts';
import { verifierPem } from '../../model/signature.ts';
import type { SigningKey, VerificationMaterial } from '../../model/signature.ts';
import { hashFor } from '../../signing/signature-algorithm.ts';
import { encodeCosignBundle } from '../../statements/cosign-bundle.ts';
import { encodeSignatureBundle } from '../../statements/sigstore-bundle.ts';
import type { LoggedEntry, TransparencyLog } from '../../transparency/transparency-log.ts';

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
  /** Absent where no log was to be told. */
  readonly logged?: LoggedEntry;
}

/**
 * Signs `blob` and logs the signature as `hashedrekord` if there is a log. Throws ERR_SIGN_BLOB_LOG for a key that this
 * kind of entry cannot be made with, and what key and log throw.
 */
export async function signBlob(
  blob: Uint8Array,
  key: SigningKey,
  { log, signal }: { readonly log: TransparencyLog | undefined; readonly signal: AbortSignal },
): Promise<BlobSigned> {
  const algorithm = algorithmOf(key);
  if (log !== undefined && algorithm === undefined) throw unloggable();
  const digest = digestWith(algorithm ?? 'sha256', blob);
  const signature = await key.sign(blob);
  const { material } = key;
  if (log === undefined) return { digest, signature, material };
  const proposal = {
    kind: 'hashedrekord',
    payloadSha256: hash('sha256', blob, 'hex'),
    digest: { algorithm: digest.algorithm, hex: digest.bytes.toString('hex') },
    signature,
    verifierPem: verifierPem(material),
  } as const;
  return { digest, signature, material, logged: await log.append(proposal, { signal }) };
}

/** The bundle file: a Sigstore bundle v0.3, or cosign's own. */
export function encodeBlobBundle(signed: BlobSigned, format: 'sigstore' | 'cosign'): Uint8Array {
  const { signature, material, digest, logged } = signed;
  if (format === 'cosign') {
    return Buffer.from(encodeCosignBundle({ signature, material, entry: logged?.entry }));
  }
  const entries = logged === undefined ? [] : [logged.entry];
  return encodeSignatureBundle({ digest, signature, material, entries });
}

/** The hash that the key signs with; none for Ed25519, which takes the file as it is. */
function algorithmOf({ material }: SigningKey): BlobDigest['algorithm'] | undefined {
  // Fulcio's certificates are for keys that we made: P-256.
  if (material.kind === 'certificate') return 'sha256';
  return hashFor(createPublicKey({ key: Buffer.from(material.spkiDer), format: 'der', type: 'spki' }));
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
