import PQueue from 'p-queue';
import { isAppError } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import type { EvidenceLayout } from '../model/signing-record.ts';
import { listBundles } from '../registry/attachments-by-referrer.ts';
import { readAttachments } from '../registry/attachments-by-tag.ts';
import type { AttachmentKind } from '../registry/attachments-by-tag.ts';
import type { CallOptions, ImageStore } from '../registry/image-store.ts';
import { isUnreadableContent } from '../registry/registry-faults.ts';
import { readEvidence } from '../signing/evidence-material.ts';
import type { Evidence } from '../signing/evidence-material.ts';
import { parseClaim } from './evidence-claim.ts';
import type { EvidenceClaim } from './evidence-claim.ts';

/** A piece of evidence beside an image, unverified: anybody who can push may have put it there. */
export interface EvidencePiece {
  readonly layout: EvidenceLayout;
  /** `HOST/PATH@DIGEST` of the layer or referring manifest. */
  readonly ref: string;
  readonly evidence: Evidence;
  /** What it says it is; absent where it cannot be read. */
  readonly unverifiedClaim?: EvidenceClaim;
  /** Why it cannot be read. */
  readonly fault?: AppError;
}

/** Everything that was found beside an image. */
export interface ImageEvidence {
  readonly pieces: readonly EvidencePiece[];
  /** Places and pieces that could not be read or were too many: reasons why something may be missing. */
  readonly obstacles: readonly string[];
}

/** Pieces looked into per place, the newest first, and bytes of all: more would let a planter of evidence stall us. */
const maxPieces = 64;
const maxBytes = 192 * 1024 * 1024;
const concurrency = 4;
// Of what was found in a place, these do not come from the way to it: they must not hide the other places.
const foreignContent = new Set(['ERR_REGISTRY_TAG_FOREIGN', 'ERR_REGISTRY_ATTACHMENTS_FULL']);

interface Candidate {
  readonly layout: EvidenceLayout;
  readonly ref: string;
  readonly load: (options: CallOptions) => Promise<Evidence | undefined>;
}

/**
 * Fetches all evidence beside an image once: the layers of cosign's `.sig` and `.att` tags and the Sigstore bundles among
 * its referrers. Content that cannot be read is noted and hides nothing else. Throws what the store throws when it
 * cannot be reached.
 */
export async function readImageEvidence(
  store: ImageStore,
  place: PinnedImage,
  options: CallOptions,
): Promise<ImageEvidence> {
  const obstacles: string[] = [];
  const places = await Promise.all([
    ...(['sig', 'att'] as const).map((kind) =>
      unlessUnreadable(obstacles, () => attachedTo(store, place, kind, options)),
    ),
    unlessUnreadable(obstacles, () => referringTo(store, place, obstacles, options)),
  ]);
  const candidates = places.flatMap((found = []) => {
    if (found.length > maxPieces) obstacles.push(`${found.length - maxPieces} older pieces were left out`);
    return found.slice(0, maxPieces);
  });
  const queue = new PQueue({ concurrency });
  // What still waits when one cannot be reached is not fetched any more.
  using _rest = {
    [Symbol.dispose]: () => {
      queue.clear();
    },
  };
  let bytes = 0;
  const loaded = await Promise.all(
    candidates.map(async (candidate) =>
      queue.add(async () => {
        options.signal.throwIfAborted();
        if (bytes > maxBytes) {
          obstacles.push(`${candidate.ref} was left out: there is too much evidence`);
          return undefined;
        }
        const evidence = await unlessUnreadable(obstacles, () => candidate.load(options));
        if (evidence === undefined) return undefined;
        bytes += evidence.layout === 'tag' ? evidence.content.byteLength : evidence.bytes.byteLength;
        return toPiece(candidate, evidence);
      }),
    ),
  );
  return { pieces: loaded.filter((piece) => piece !== undefined), obstacles };
}

async function attachedTo(
  store: ImageStore,
  place: PinnedImage,
  kind: AttachmentKind,
  options: CallOptions,
): Promise<readonly Candidate[]> {
  const attachments = await readAttachments(store, place, kind, options);
  return attachments.toReversed().map(({ descriptor, annotations, load }) => ({
    layout: 'tag',
    ref: `${formatRepository(place.repository)}@${descriptor.digest}`,
    load: async (call) => {
      const content = await load(call);
      return { layout: 'tag', mediaType: descriptor.mediaType, content, annotations };
    },
  }));
}

async function referringTo(
  store: ImageStore,
  place: PinnedImage,
  obstacles: string[],
  options: CallOptions,
): Promise<readonly Candidate[]> {
  const { candidates, truncated } = await listBundles(store, place, options);
  if (truncated) obstacles.push('the image has more referrers than are listed');
  return candidates.toReversed().map(({ descriptor, load }) => ({
    layout: 'referrer',
    ref: `${formatRepository(place.repository)}@${descriptor.digest}`,
    load: async (call) => {
      const bytes = await load(call);
      return bytes === undefined ? undefined : { layout: 'bundle', bytes };
    },
  }));
}

async function unlessUnreadable<Content>(
  obstacles: string[],
  read: () => Promise<Content>,
): Promise<Content | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isUnreadableContent(error) && !(isAppError(error) && foreignContent.has(error.code))) throw error;
    obstacles.push(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function toPiece({ layout, ref }: Candidate, evidence: Evidence): EvidencePiece {
  try {
    const { payload, payloadType } = readEvidence(evidence);
    return { layout, ref, evidence, unverifiedClaim: parseClaim(payload, payloadType) };
  } catch (error) {
    if (isAppError(error)) return { layout, ref, evidence, fault: error };
    throw error;
  }
}
