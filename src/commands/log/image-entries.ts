import { AppError } from '../../model/errors.ts';
import { formatRepository } from '../../model/image-reference.ts';
import type { PinnedImage } from '../../model/image-reference.ts';
import { limits } from '../../model/limits.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { parseStrictJson } from '../../statements/strict-json.ts';
import type { JsonValue } from '../../statements/strict-json.ts';
import type { RekorV1Client } from '../../transparency/rekor-v1-client.ts';
import { readSignedPieces } from './image-evidence.ts';
import type { PrintedEntry } from './printed-entry.ts';

/**
 * UUIDs of all entries about an image: those that name its digest as a statement's subject, and those of the payloads
 * and envelopes that lie beside it, which is how the entry of an image signature is found.
 */
export async function findImageEntries(
  image: PinnedImage,
  {
    log,
    store,
    signal,
  }: { readonly log: RekorV1Client; readonly store: ImageStore; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const pieces = await readSignedPieces(image, { store, signal });
  const hashes = pieces.flatMap(({ payloadHash, envelopeHash }) => [
    payloadHash,
    envelopeHash ?? payloadHash,
  ]);
  const found = new Set<string>();
  for (const hash of new Set([image.digest, ...hashes])) {
    for (const uuid of await log.search({ hash }, { signal })) found.add(uuid);
  }
  return [...found];
}

/**
 * The payload that an entry is about, fetched from beside the image and checked against the entry's hash, as JSON.
 * Throws ERR_LOG_PAYLOAD_ABSENT if the registry does not hold it.
 */
export async function findImagePayload(
  image: PinnedImage,
  entry: PrintedEntry,
  parts: { readonly store: ImageStore; readonly signal: AbortSignal },
): Promise<JsonValue> {
  const pieces = await readSignedPieces(image, parts);
  const piece = pieces.find(({ payloadHash }) => payloadHash === entry.payloadHash);
  if (piece === undefined) {
    const object = `${formatRepository(image.repository)}@${image.digest}`;
    throw new AppError('ERR_LOG_PAYLOAD_ABSENT', `nothing beside ${object} is what the entry is about`, {
      kind: 'permanent',
      object,
      remedy: 'Check that the entry is about this image; what it was made of may have been deleted.',
    });
  }
  const json = parseStrictJson(piece.payload, limits.envelopeBytes);
  return 'value' in json ? json.value : Buffer.from(piece.payload).toString('base64');
}
