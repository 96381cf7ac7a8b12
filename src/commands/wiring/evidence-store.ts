import { resolve } from 'node:path';
import type { Digest } from '../../model/digest.ts';
import { AppError, isAppError } from '../../model/errors.ts';
import { formatRepository, parseRepository } from '../../model/image-reference.ts';
import type { Repository } from '../../model/image-reference.ts';
import type { Descriptor } from '../../model/oci.ts';
import type {
  BlobKey,
  BlobStream,
  CallOptions,
  ImageStore,
  NewManifest,
  ReferrerList,
  StoredManifest,
  TagEdit,
  TagUpdate,
} from '../../registry/image-store.ts';

/** What `--store` names. */
export type StoreAddress =
  | { readonly kind: 'oci-layout'; readonly folder: string }
  /** `HOST` or `HOST/PATH`: the images whose names begin so. */
  | { readonly kind: 'registry'; readonly prefix: string };

const layoutScheme = 'oci-layout:';
const stem = '/x/y';

/** Parses `oci-layout:DIR`, a path that begins with `/` or `.`, `HOST` or `HOST/PATH`. Throws ERR_USAGE_STORE. */
export function parseStoreAddress(value: string): StoreAddress {
  const isScheme = value.startsWith(layoutScheme);
  if (isScheme || /^[./]/.test(value)) {
    const folder = isScheme ? value.slice(layoutScheme.length) : value;
    if (folder === '') throw malformed(value);
    return { kind: 'oci-layout', folder: resolve(folder) };
  }
  const [host = ''] = value.split('/');
  // A short name would mean Docker Hub, and a folder's name looks like one.
  if (host !== 'localhost' && !/[.:]/.test(host)) throw malformed(value);
  try {
    // A name below it is what can be parsed whether there is a path or not.
    const name = formatRepository(parseRepository(`${value}${stem}`));
    return { kind: 'registry', prefix: name.slice(0, -stem.length) };
  } catch (error) {
    if (isAppError(error)) throw malformed(value);
    throw error;
  }
}

function malformed(value: string): AppError {
  return new AppError('ERR_USAGE_STORE', `"${value.slice(0, 200)}" is no store`, {
    kind: 'permanent',
    remedy: 'Write oci-layout:DIR for a folder, or HOST/REPO for a registry.',
  });
}

/**
 * A store of which only the repositories below some prefixes (`HOST` or `HOST/PATH`) are touched; any other is refused
 * with ERR_STORE_FOREIGN, so that a run that somebody handed over cannot aim this machine's credentials elsewhere.
 */
export class ScopedStore implements ImageStore {
  readonly #store: ImageStore;
  readonly #prefixes: readonly string[];

  constructor(store: ImageStore, prefixes: readonly string[]) {
    this.#store = store;
    this.#prefixes = prefixes;
  }

  async headManifest(
    repository: Repository,
    reference: string,
    options: CallOptions,
  ): Promise<Descriptor | undefined> {
    return this.#within(repository).headManifest(repository, reference, options);
  }

  async getManifest(
    repository: Repository,
    reference: string,
    options: CallOptions,
  ): Promise<StoredManifest | undefined> {
    return this.#within(repository).getManifest(repository, reference, options);
  }

  async headBlob(repository: Repository, digest: Digest, options: CallOptions): Promise<BlobKey | undefined> {
    return this.#within(repository).headBlob(repository, digest, options);
  }

  async openBlob(repository: Repository, blob: BlobKey, options: CallOptions): Promise<BlobStream> {
    return this.#within(repository).openBlob(repository, blob, options);
  }

  async getBlob(
    repository: Repository,
    blob: BlobKey,
    options: CallOptions & { readonly maxBytes: number },
  ): Promise<Uint8Array> {
    return this.#within(repository).getBlob(repository, blob, options);
  }

  async putBlob(
    repository: Repository,
    bytes: Uint8Array,
    options: CallOptions & { readonly likelyPresent?: boolean },
  ): Promise<BlobKey> {
    return this.#within(repository).putBlob(repository, bytes, options);
  }

  async putManifest(
    repository: Repository,
    reference: string,
    manifest: NewManifest,
    options: CallOptions,
  ): Promise<Digest> {
    return this.#within(repository).putManifest(repository, reference, manifest, options);
  }

  async updateTag(
    repository: Repository,
    tag: string,
    edit: TagEdit,
    options: CallOptions,
  ): Promise<TagUpdate> {
    return this.#within(repository).updateTag(repository, tag, edit, options);
  }

  async listReferrers(repository: Repository, digest: Digest, options: CallOptions): Promise<ReferrerList> {
    return this.#within(repository).listReferrers(repository, digest, options);
  }

  async putReferrer(repository: Repository, manifest: NewManifest, options: CallOptions): Promise<Digest> {
    return this.#within(repository).putReferrer(repository, manifest, options);
  }

  #within(repository: Repository): ImageStore {
    const name = formatRepository(repository);
    const isInside = this.#prefixes.some((prefix) => name === prefix || name.startsWith(`${prefix}/`));
    if (isInside) return this.#store;
    const inside = this.#prefixes.join(' and ');
    throw new AppError('ERR_STORE_FOREIGN', `${name} does not lie in the store, which is ${inside}`, {
      kind: 'permanent',
      object: name,
      remedy: 'Name the registry of the images in --store, or take the run away.',
    });
  }
}
