import type { Digest } from '../model/digest.ts';
import type { Repository } from '../model/image-reference.ts';
import type { Descriptor, ImageIndex, ImageManifest } from '../model/oci.ts';

/** What every call to a store takes. */
export interface CallOptions {
  readonly signal: AbortSignal;
}

/** A manifest whose bytes were checked against the digest in its descriptor. */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: ImageManifest | ImageIndex;
}

/** The part of a descriptor that finds a blob and proves it. */
export type BlobKey = Pick<Descriptor, 'digest' | 'size'>;

/** The bytes of a blob, proven when the last one was read; dispose it if it is not read to its end. */
export type BlobStream = AsyncIterable<Uint8Array> & AsyncDisposable;

/** A manifest to be written, with its media type. */
export interface NewManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/** Referrers of one digest; `truncated` when there were more than `limits.referrers`. */
export interface ReferrerList {
  readonly descriptors: readonly Descriptor[];
  readonly truncated: boolean;
}

/** How a tag was left by {@link ImageStore.updateTag}. */
export interface TagUpdate {
  /** Digest that the tag points to; absent if it did and does not exist. */
  readonly digest?: Digest;
  /** True if a manifest was written. */
  readonly written: boolean;
}

/**
 * Gives the manifest that a tag shall hold, from the one that it holds (`undefined`: no such tag), or `undefined` if it
 * is right as it is. Called again when somebody else wrote in between, so it must not count its calls.
 */
export type TagEdit = (current: StoredManifest | undefined) => Promise<NewManifest | undefined>;

/**
 * Images and what is attached to them, in a registry or in an OCI layout folder. A `reference` is a tag or a digest.
 * Faults of every method: ERR_REGISTRY_* as listed in docs/errors.md; absence of a manifest is no fault.
 */
export interface ImageStore {
  /** The descriptor as the store states it, without reading the manifest; `undefined` if absent. */
  headManifest(
    repository: Repository,
    reference: string,
    options: CallOptions,
  ): Promise<Descriptor | undefined>;

  /** The manifest, its digest checked; `undefined` if absent. */
  getManifest(
    repository: Repository,
    reference: string,
    options: CallOptions,
  ): Promise<StoredManifest | undefined>;

  /** The size of a blob of which only the digest is known, as the store states it; `undefined` if absent. */
  headBlob(repository: Repository, digest: Digest, options: CallOptions): Promise<BlobKey | undefined>;

  /** Streams a blob; size and digest are checked at the end, with ERR_REGISTRY_DIGEST_MISMATCH. */
  openBlob(repository: Repository, blob: BlobKey, options: CallOptions): Promise<BlobStream>;

  /** A whole checked blob of at most `maxBytes`, else ERR_REGISTRY_TOO_LARGE. */
  getBlob(
    repository: Repository,
    blob: BlobKey,
    options: CallOptions & { readonly maxBytes: number },
  ): Promise<Uint8Array>;

  /** Stores a blob unless it is there; `likelyPresent` asks the store first also where an upload would be cheap. */
  putBlob(
    repository: Repository,
    bytes: Uint8Array,
    options: CallOptions & { readonly likelyPresent?: boolean },
  ): Promise<BlobKey>;

  /** Stores a manifest under a tag or its own digest; its blobs must be there. */
  putManifest(
    repository: Repository,
    reference: string,
    manifest: NewManifest,
    options: CallOptions,
  ): Promise<Digest>;

  /**
   * Reads a tag, edits it, writes it, and checks afterwards that the write was not overtaken; writers of one process
   * take turns. ERR_REGISTRY_TAG_CONTENDED if others keep on overtaking.
   */
  updateTag(repository: Repository, tag: string, edit: TagEdit, options: CallOptions): Promise<TagUpdate>;

  /** Everything that refers to `digest` as its subject, unverified. */
  listReferrers(repository: Repository, digest: Digest, options: CallOptions): Promise<ReferrerList>;

  /** Stores an OCI manifest that has a `subject`, so that {@link ImageStore.listReferrers} finds it. */
  putReferrer(repository: Repository, manifest: NewManifest, options: CallOptions): Promise<Digest>;
}
