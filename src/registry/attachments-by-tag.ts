import { AppError } from '../model/errors.ts';
import { digestOf, splitDigest } from '../model/digest.ts';
import { limits } from '../model/limits.ts';
import { formatRepository } from '../model/image-reference.ts';
import { encodeAttachmentConfig, encodeAttachmentManifest } from './attachment-encoding.ts';
import { isImageIndex } from './manifest-parser.ts';
import { isUnreadableContent } from './registry-faults.ts';
import { registryLimits } from './registry-limits.ts';
import type { Digest } from '../model/digest.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import type { Descriptor, ImageManifest } from '../model/oci.ts';
import type { CallOptions, ImageStore, NewManifest, StoredManifest } from './image-store.ts';

/** Kinds of cosign's tag layout: signatures and attestations. */
export type AttachmentKind = 'sig' | 'att';

/** An attached layer, unverified: anybody who can push may have put it there. */
export interface Attachment {
  readonly descriptor: Descriptor;
  /** Of the layer; empty if it has none. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Fetches the layer's bytes, checked against its digest, at most `limits.envelopeBytes`. */
  readonly load: (options: CallOptions) => Promise<Uint8Array>;
}

/** A layer to be attached. */
export interface NewAttachment {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Options of {@link appendAttachments}. */
export interface AppendOptions extends CallOptions {
  /**
   * Tells whether an existing layer is the content that we mean to attach, verified; then ours is not attached. Asked
   * for layers of the same media type, the newest first. Layers that are byte for byte ours are found without it.
   */
  readonly isSame?: (existing: Attachment, mine: NewAttachment) => Promise<boolean>;
}

/** What {@link appendAttachments} did. */
export interface AppendResult {
  /** `HOST/PATH@DIGEST` of the manifest that the tag points to, with all layers. */
  readonly ref: string;
  /** For each given layer: true if it was attached, false if it was there. */
  readonly added: readonly boolean[];
}

/** Options of {@link readAttachments}. */
export interface ReadAttachmentsOptions extends CallOptions {
  /** What the tag begins with, as cosign's COSIGN_TAG_PREFIX; absent: nothing. */
  readonly tagPrefix?: string;
}

/** The tag of cosign's layout: `<prefix>sha256-<hex>.sig`. */
export function attachmentTag(digest: Digest, kind: AttachmentKind, prefix = ''): string {
  const { algorithm, hex } = splitDigest(digest);
  return `${prefix}${algorithm}-${hex}.${kind}`;
}

/**
 * The layers attached to an image by tag, oldest first; none if the tag does not exist. `target.repository` is where the
 * attachments lie. Throws ERR_REGISTRY_TAG_FOREIGN and ERR_REGISTRY_ATTACHMENTS_FULL, and what the store throws.
 */
export async function readAttachments(
  store: ImageStore,
  target: PinnedImage,
  kind: AttachmentKind,
  options: ReadAttachmentsOptions,
): Promise<readonly Attachment[]> {
  const tag = attachmentTag(target.digest, kind, options.tagPrefix);
  const stored = await store.getManifest(target.repository, tag, options);
  return stored === undefined ? [] : attachmentsOf(store, target, imageAt(stored, target, tag));
}

/**
 * Attaches layers to an image by cosign's tag, keeping what is there. Only what is missing is written: calling it again
 * costs one request if all is there, and mends what a concurrent writer of another process removed. Throws
 * ERR_REGISTRY_TAG_FOREIGN, ERR_REGISTRY_ATTACHMENTS_FULL, ERR_REGISTRY_TAG_CONTENDED, and what the store throws.
 */
export async function appendAttachments(
  store: ImageStore,
  { target, kind }: { readonly target: PinnedImage; readonly kind: AttachmentKind },
  layers: readonly NewAttachment[],
  options: AppendOptions,
): Promise<AppendResult> {
  const tag = attachmentTag(target.digest, kind);
  const search = new DuplicateSearch(options);
  const wasMissing = layers.map(() => false);
  const edit = async (current: StoredManifest | undefined): Promise<NewManifest | undefined> => {
    const base = current === undefined ? undefined : imageAt(current, target, tag);
    const existing = base === undefined ? [] : attachmentsOf(store, target, base);
    const missing: NewAttachment[] = [];
    for (const [index, layer] of layers.entries()) {
      if (await search.isAttached(existing, layer)) continue;
      missing.push(layer);
      wasMissing[index] = true;
    }
    return missing.length === 0 ? undefined : extend(store, target, { base, missing, tag }, options);
  };
  const { digest, written } = await store.updateTag(target.repository, tag, edit, options);
  const name = formatRepository(target.repository);
  return {
    ref: digest === undefined ? `${name}:${tag}` : `${name}@${digest}`,
    added: wasMissing.map((missing) => missing && written),
  };
}

async function extend(
  store: ImageStore,
  { repository }: PinnedImage,
  change: {
    readonly base: ImageManifest | undefined;
    readonly missing: readonly NewAttachment[];
    readonly tag: string;
  },
  options: CallOptions,
): Promise<NewManifest> {
  const layers = [...(change.base?.layers ?? []), ...change.missing.map(descriptorOf)];
  const config = encodeAttachmentConfig(layers);
  const manifest = encodeAttachmentManifest({ base: change.base, config, layers });
  if (layers.length > limits.attachmentLayers || manifest.bytes.byteLength > limits.manifestBytes) {
    throw full(`${formatRepository(repository)}:${change.tag}`, layers.length);
  }
  await Promise.all(
    [config, ...change.missing.map(({ bytes }) => bytes)].map((bytes) =>
      store.putBlob(repository, bytes, options),
    ),
  );
  return manifest;
}

function attachmentsOf(
  store: ImageStore,
  { repository }: PinnedImage,
  manifest: ImageManifest,
): Attachment[] {
  return manifest.layers.map((descriptor) => ({
    descriptor,
    annotations: descriptor.annotations ?? {},
    load: (options) => store.getBlob(repository, descriptor, { ...options, maxBytes: limits.envelopeBytes }),
  }));
}

function imageAt(stored: StoredManifest, { repository }: PinnedImage, tag: string): ImageManifest {
  const object = `${formatRepository(repository)}:${tag}`;
  if (isImageIndex(stored.manifest)) {
    throw new AppError('ERR_REGISTRY_TAG_FOREIGN', `${object} holds an image index, not attachments`, {
      kind: 'passing',
      object,
      remedy: 'Find out who pushed it, and delete that tag; this is tried again.',
    });
  }
  const count = stored.manifest.layers.length;
  if (count > limits.attachmentLayers) throw full(object, count);
  return stored.manifest;
}

function full(object: string, layers: number): AppError {
  return new AppError(
    'ERR_REGISTRY_ATTACHMENTS_FULL',
    `${object} would have ${layers} layers or too large a manifest`,
    {
      kind: 'passing',
      object,
      remedy: 'Delete old attachments of the image, for example with "cosign clean"; this is tried again.',
    },
  );
}

function descriptorOf({ mediaType, bytes, annotations }: NewAttachment): Descriptor {
  return { mediaType, size: bytes.byteLength, digest: digestOf(bytes), annotations };
}

/** Looks for our content among attached layers, within a budget, asking about each layer once over all attempts. */
class DuplicateSearch {
  readonly #options: AppendOptions;
  readonly #verdicts = new Map<string, boolean>();
  #bytesLeft: number = registryLimits.duplicateBytes;

  constructor(options: AppendOptions) {
    this.#options = options;
  }

  async isAttached(existing: readonly Attachment[], mine: NewAttachment): Promise<boolean> {
    const wanted = descriptorOf(mine);
    if (existing.some(({ descriptor }) => isIdentical(descriptor, wanted))) return true;
    const candidates = existing
      .filter(({ descriptor }) => descriptor.mediaType === mine.mediaType)
      .reverse()
      .slice(0, registryLimits.duplicateCandidates);
    for (const candidate of candidates) {
      if (await this.#isSame(candidate, mine, wanted.digest)) return true;
    }
    return false;
  }

  async #isSame(existing: Attachment, mine: NewAttachment, digest: Digest): Promise<boolean> {
    const { isSame } = this.#options;
    if (isSame === undefined) return false;
    const key = JSON.stringify([digest, existing.descriptor]);
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = await ignoringUnreadable(() => isSame(this.#metered(existing), mine));
    this.#verdicts.set(key, verdict);
    return verdict;
  }

  #metered(attachment: Attachment): Attachment {
    return {
      ...attachment,
      load: async (options) => {
        this.#bytesLeft -= attachment.descriptor.size;
        if (this.#bytesLeft < 0) throw overBudget(attachment.descriptor.digest);
        return attachment.load(options);
      },
    };
  }
}

function overBudget(digest: Digest): AppError {
  return new AppError('ERR_REGISTRY_TOO_LARGE', `${digest} is one of too many attached bytes to compare`, {
    kind: 'permanent',
    object: digest,
  });
}

async function ignoringUnreadable(ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return await ask();
  } catch (error) {
    if (isUnreadableContent(error)) return false;
    throw error;
  }
}

/** Same bytes and same annotations: for a signature the bytes are the payload, and the signature is an annotation. */
function isIdentical(a: Descriptor, b: Descriptor): boolean {
  if (a.digest !== b.digest || a.mediaType !== b.mediaType) return false;
  const [left, right] = [a.annotations ?? {}, b.annotations ?? {}];
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name]);
}
