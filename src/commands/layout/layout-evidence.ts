import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { constants } from 'node:fs';
import { readBounded } from '../../model/bounded-body.ts';
import { AppError, isAppError, messageOf } from '../../model/errors.ts';
import { formatRepository } from '../../model/image-reference.ts';
import type { PinnedImage } from '../../model/image-reference.ts';
import { limits } from '../../model/limits.ts';
import { mediaTypes } from '../../model/oci.ts';
import { EvidenceReader } from '../../policy/image-evidence.ts';
import type { EvidencePiece } from '../../policy/image-evidence.ts';
import type { FoundEvidence } from '../../policy/layout/step-reports.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { parseBundle } from '../../statements/sigstore-bundle.ts';
import { readObject } from '../../statements/signed-metadata.ts';
import { findSubject, parseStatement } from '../../statements/statement.ts';

/**
 * Link metadata in a folder, as in-toto names it: `STEP.KEYID.link` with eight digits of the key id, those of layouts inside
 * in a folder of that name. Links of the file system are not followed. Throws ERR_USAGE_FILE.
 */
export async function readLinkFile(
  root: string,
  folder: readonly string[],
  { step, keyid }: { readonly step: string; readonly keyid: string },
): Promise<Buffer | undefined> {
  const file = join(root, ...folder, `${step}.${keyid.slice(0, 8)}.link`);
  try {
    await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    const stream = handle.createReadStream({ autoClose: false });
    return await readBounded(stream, {
      maxBytes: limits.envelopeBytes,
      code: 'ERR_USAGE_FILE',
      object: file,
    });
  } catch (error) {
    if (isAppError(error)) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new AppError('ERR_USAGE_FILE', `${file} cannot be read: ${messageOf(error)}`, {
      kind: 'permanent',
      object: file,
      remedy: 'Put the link there as a file of its own that can be read.',
      cause: error,
    });
  }
}

/** An attestation in a file: a Sigstore bundle or a DSSE envelope. Throws ERR_LAYOUT_FORMAT, ERR_BUNDLE. */
export function evidenceInFile(bytes: Buffer, file: string): FoundEvidence {
  if ('mediaType' in readObject(bytes, file)) {
    parseBundle(bytes);
    return { source: file, evidence: { layout: 'bundle', bytes } };
  }
  const envelope = {
    layout: 'tag',
    mediaType: mediaTypes.dsseEnvelope,
    content: bytes,
    annotations: {},
  } as const;
  return { source: file, evidence: envelope };
}

/** The attestations beside an image that are about it, in each layout. Throws what the store throws. */
export async function evidenceOfImage(
  image: PinnedImage,
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<readonly FoundEvidence[]> {
  const reader = new EvidenceReader(store, image, options);
  const found = [...(await reader.read('tag')).pieces, ...(await reader.read('referrer')).pieces];
  const about = found.filter((piece) => isAbout(piece, image));
  if (about.length > 0) return about.map(({ ref, evidence }) => ({ source: ref, evidence }));
  const object = `${formatRepository(image.repository)}@${image.digest}`;
  throw new AppError('ERR_POLICY_EVIDENCE_MISSING', `no attestation lies beside ${object}`, {
    kind: 'permanent',
    object,
    remedy: 'Attest the image, or name the one that the step built.',
  });
}

/** What is not about the image says nothing about how it was built, whoever put it there. */
function isAbout({ material }: EvidencePiece, { digest }: PinnedImage): boolean {
  if (material?.payloadType === undefined) return false;
  try {
    return findSubject(parseStatement(material.payload), digest) !== undefined;
  } catch (error) {
    if (isAppError(error)) return false;
    throw error;
  }
}
