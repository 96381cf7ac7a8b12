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
import type { Evidence, EvidenceMaterial } from '../signing/evidence-material.ts';
import { parseClaim } from './evidence-claim.ts';
import type { EvidenceClaim } from './evidence-claim.ts';

/** A piece of evidence beside an image, unverified: anybody who can push may have put it there. */
export interface EvidencePiece {
  readonly layout: EvidenceLayout;
  /** `HOST/PATH@DIGEST` of the layer or referring manifest. */
  readonly ref: string;
  readonly evidence: Evidence;
  /** The same parsed, and what it says it is; absent where it cannot be read. */
  readonly material?: EvidenceMaterial;
  readonly unverifiedClaim?: EvidenceClaim;
  /** Why it cannot be read. */
  readonly fault?: AppError;
}

/** What was found beside an image. */
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

/** How evidence is read. */
export interface EvidenceOptions extends CallOptions {
  /** What the tags of the evidence begin with; absent or empty: nothing. */
  readonly tagPrefix?: string;
}

/** Where evidence is read from, a layout at a time. Throws passing faults. */
export interface EvidenceSource {
  readonly read: (layout: EvidenceLayout) => Promise<ImageEvidence>;
}

/**
 * The evidence beside an image: the layers of cosign's `.sig` and `.att` tags, and the Sigstore bundles among its
 * referrers. Each layout is fetched once, when it is first asked for. Content that cannot be read is noted and hides
 * nothing else. Throws what the store throws when it cannot be reached.
 */
export class EvidenceReader implements EvidenceSource {
  readonly #store: ImageStore;
  readonly #place: PinnedImage;
  readonly #options: EvidenceOptions;
  readonly #known = new Map<EvidenceLayout, Promise<ImageEvidence>>();
  #bytes = 0;

  constructor(store: ImageStore, place: PinnedImage, options: EvidenceOptions) {
    this.#store = store;
    this.#place = place;
    this.#options = options;
  }

  readonly read: EvidenceSource['read'] = (layout) => {
    const reading = this.#known.get(layout) ?? this.#readAll(layout);
    this.#known.set(layout, reading);
    return reading;
  };

  async #readAll(layout: EvidenceLayout): Promise<ImageEvidence> {
    const obstacles: string[] = [];
    const queue = new PQueue({ concurrency });
    // What still waits when one cannot be reached is not fetched any more.
    using _rest = {
      [Symbol.dispose]: () => {
        queue.clear();
      },
    };
    const pieces = await Promise.all(
      this.#listings(layout, obstacles).map(async (list) => {
        const found = (await unlessUnreadable(obstacles, list)) ?? [];
        if (found.length > maxPieces)
          obstacles.push(`${found.length - maxPieces} older pieces were left out`);
        return Promise.all(
          found.slice(0, maxPieces).map((candidate) => queue.add(() => this.#load(candidate, obstacles))),
        );
      }),
    );
    return { pieces: pieces.flat().filter((piece) => piece !== undefined), obstacles };
  }

  #listings(layout: EvidenceLayout, obstacles: string[]): readonly (() => Promise<readonly Candidate[]>)[] {
    const [store, place, options] = [this.#store, this.#place, this.#options];
    if (layout === 'referrer') return [() => referringTo(store, place, obstacles, options)];
    return (['sig', 'att'] as const).map((kind) => () => attachedTo(store, place, kind, options));
  }

  async #load(candidate: Candidate, obstacles: string[]): Promise<EvidencePiece | undefined> {
    this.#options.signal.throwIfAborted();
    if (this.#bytes > maxBytes) {
      obstacles.push(`${candidate.ref} was left out: there is too much evidence`);
      return undefined;
    }
    const evidence = await unlessUnreadable(obstacles, () => candidate.load(this.#options));
    if (evidence === undefined) return undefined;
    this.#bytes += evidence.layout === 'tag' ? evidence.content.byteLength : evidence.bytes.byteLength;
    return toPiece(candidate, evidence);
  }
}

async function attachedTo(
  store: ImageStore,
  place: PinnedImage,
  kind: AttachmentKind,
  options: EvidenceOptions,
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
    const material = readEvidence(evidence);
    const unverifiedClaim = parseClaim(material.payload, material.payloadType);
    return { layout, ref, evidence, material, unverifiedClaim };
  } catch (error) {
    if (isAppError(error)) return { layout, ref, evidence, fault: error };
    throw error;
  }
}
