import { AppError } from '../model/errors.ts';
import { splitDigest } from '../model/digest.ts';
import { limits } from '../model/limits.ts';
import { formatRepository } from '../model/image-reference.ts';
import { isIndexMediaType, mediaTypes } from '../model/oci.ts';
import { SharedWork } from '../model/shared-work.ts';
import { isImageIndex } from './manifest-parser.ts';
import type { Digest } from '../model/digest.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import type { Descriptor, ImageIndex } from '../model/oci.ts';
import type { CallOptions, ImageStore, NewManifest, StoredManifest } from './image-store.ts';
import type { ManifestClient } from './manifest-client.ts';

/** Referrers of one image that are being stored, and the write that lists them. */
interface Batch {
  readonly storing: Promise<Descriptor | undefined>[];
  readonly listing: SharedWork<void>;
}

/** The tag under which referrers are listed where there is no API (distribution-spec, "Referrers Tag Schema"). */
export class ReferrersTag {
  readonly #manifests: Pick<ManifestClient, 'get'>;
  readonly #updateTag: ImageStore['updateTag'];
  readonly #open = new Map<string, Batch>();

  constructor(parts: {
    readonly manifests: Pick<ManifestClient, 'get'>;
    readonly updateTag: ImageStore['updateTag'];
  }) {
    this.#manifests = parts.manifests;
    this.#updateTag = parts.updateTag;
  }

  /** What is listed; nothing if the tag does not exist. Errors: ERR_REGISTRY_TAG_FOREIGN, and those of the registry. */
  async read({ repository, digest }: PinnedImage, options: CallOptions): Promise<readonly Descriptor[]> {
    const tagged = await this.#manifests.get(repository, referrersTag(digest), options);
    return tagged === undefined ? [] : indexOf(tagged.manifest, nameOf({ repository, digest })).manifests;
  }

  /**
   * Stores a referrer of `image` and lists what `store` gives of it, if anything. Referrers whose storing began before the
   * first of them was stored are listed by one write: an image's evidence comes three at a time. Errors: those of `store`,
   * ERR_REGISTRY_TAG_FOREIGN, ERR_REGISTRY_TAG_CONTENDED, ERR_REGISTRY_ATTACHMENTS_FULL.
   */
  async listStored(
    image: PinnedImage,
    store: () => Promise<Descriptor | undefined>,
    { signal }: CallOptions,
  ): Promise<void> {
    const object = nameOf(image);
    const batch = this.#open.get(object) ?? { storing: [], listing: new SharedWork<void>() };
    this.#open.set(object, batch);
    const storing = store();
    batch.storing.push(storing);
    try {
      if ((await storing) === undefined) return;
    } finally {
      if (this.#open.get(object) === batch) this.#open.delete(object);
    }
    await batch.listing.join(object, (shared) => this.#list(image, batch, { signal: shared }), signal);
  }

  async #list(image: PinnedImage, { storing }: Batch, options: CallOptions): Promise<void> {
    const object = nameOf(image);
    const stored = (await Promise.allSettled(storing)).flatMap((one) =>
      one.status === 'fulfilled' && one.value !== undefined ? [one.value] : [],
    );
    const edit = (current: StoredManifest | undefined): Promise<NewManifest | undefined> => {
      const index = current === undefined ? undefined : indexOf(current, object);
      return Promise.resolve(addReferrers(index, stored, object));
    };
    await this.#updateTag(image.repository, referrersTag(image.digest), edit, options);
  }
}

function referrersTag(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `${algorithm}-${hex}`.slice(0, 128);
}

function indexOf(stored: StoredManifest, object: string): ImageIndex {
  if (isIndexMediaType(stored.descriptor.mediaType) && isImageIndex(stored.manifest)) return stored.manifest;
  throw new AppError('ERR_REGISTRY_TAG_FOREIGN', `the referrers tag of ${object} holds no image index`, {
    kind: 'passing',
    object,
    remedy: 'Find out who pushed it, and delete that tag; this is tried again.',
  });
}

function addReferrers(
  index: ImageIndex | undefined,
  stored: readonly Descriptor[],
  object: string,
): NewManifest | undefined {
  const listed = index?.manifests ?? [];
  const known = new Set(listed.map(({ digest }) => digest));
  const missing = stored.filter(({ digest }) => !known.has(digest));
  if (missing.length === 0) return undefined;
  if (listed.length + missing.length > limits.referrers) {
    throw new AppError('ERR_REGISTRY_ATTACHMENTS_FULL', `${object} has ${listed.length} referrers already`, {
      kind: 'passing',
      object,
      remedy: 'Delete referrers that are not needed; this is tried again.',
    });
  }
  // Sorted as cosign and go-containerregistry sort it, so that two writers of the same set write the same bytes.
  const manifests = [...listed, ...missing].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, ...index, manifests };
  return { bytes: Buffer.from(JSON.stringify(document)), mediaType: mediaTypes.ociIndex };
}

function nameOf({ repository, digest }: PinnedImage): string {
  return `${formatRepository(repository)}@${digest}`;
}
