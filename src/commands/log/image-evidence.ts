import { hash } from 'node:crypto';
import type { PinnedImage } from '../../model/image-reference.ts';
import { mediaTypes } from '../../model/oci.ts';
import { isAppError, isPassing } from '../../model/errors.ts';
import { listBundles } from '../../registry/attachments-by-referrer.ts';
import { readAttachments } from '../../registry/attachments-by-tag.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { encodeEnvelope, parseEnvelope } from '../../statements/dsse.ts';
import { parseBundle } from '../../statements/sigstore-bundle.ts';

/** Something signed that lies beside an image, unverified. */
export interface SignedPiece {
  readonly payload: Uint8Array;
  /** `sha256:HEX` of the payload, and of the envelope around it. */
  readonly payloadHash: string;
  readonly envelopeHash?: string;
}

// As many of each layout are looked at.
const maxPieces = 100;

/** Payloads and envelopes that lie beside an image, in either layout; what cannot be read is left out. Throws passing faults. */
export async function readSignedPieces(
  image: PinnedImage,
  { store, signal }: { readonly store: ImageStore; readonly signal: AbortSignal },
): Promise<readonly SignedPiece[]> {
  const layers = [
    ...(await readAttachments(store, image, 'sig', { signal })),
    ...(await readAttachments(store, image, 'att', { signal })),
  ];
  const { candidates } = await listBundles(store, image, { signal });
  const pieces = await Promise.all([
    ...layers.slice(-maxPieces).map(({ descriptor, load }) =>
      orNothing(async () => {
        const bytes = await load({ signal });
        return descriptor.mediaType === mediaTypes.dsseEnvelope ? ofEnvelope(bytes) : ofPayload(bytes);
      }),
    ),
    ...candidates.slice(-maxPieces).map(({ load }) =>
      orNothing(async () => {
        const bytes = await load({ signal });
        return bytes === undefined ? undefined : ofBundle(bytes);
      }),
    ),
  ]);
  return pieces.filter((piece) => piece !== undefined);
}

function ofPayload(payload: Uint8Array): SignedPiece {
  return { payload, payloadHash: digestOf(payload) };
}

function ofEnvelope(bytes: Uint8Array): SignedPiece {
  return { ...ofPayload(parseEnvelope(bytes).payload), envelopeHash: digestOf(bytes) };
}

function ofBundle(bytes: Uint8Array): SignedPiece | undefined {
  const { content } = parseBundle(bytes);
  return content.$case === 'dsseEnvelope' ? ofEnvelope(encodeEnvelope(content.dsseEnvelope)) : undefined;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${hash('sha256', bytes, 'hex')}`;
}

async function orNothing(read: () => Promise<SignedPiece | undefined>): Promise<SignedPiece | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isAppError(error) && !isPassing(error)) return undefined;
    throw error;
  }
}
