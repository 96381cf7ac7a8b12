import { createReadStream } from 'node:fs';
import { LRUCache } from 'lru-cache';
import { AppError } from '../model/errors.ts';
import { digestOf, isDigest } from '../model/digest.ts';
import { limits } from '../model/limits.ts';
import { formatRepository } from '../model/image-reference.ts';
import { mediaTypes } from '../model/oci.ts';
import { KeyedTurns } from './keyed-turns.ts';
import { LayoutFolder } from './layout-folder.ts';
import { storedManifest } from './manifest-check.ts';
import { isImageIndex, parseManifest } from './manifest-parser.ts';
import { referrerDescriptor } from './referrers-client.ts';
import { blobAbsent, fromRegistryFault, tooLarge } from './registry-faults.ts';
import { registryLimits } from './registry-limits.ts';
import { editTag } from './tag-editor.ts';
import { collectBlob, verifyStream } from './verified-stream.ts';
import type { Clock } from '../model/clock.ts';
import type { Digest } from '../model/digest.ts';
import type { Repository } from '../model/image-reference.ts';
import type { Descriptor } from '../model/oci.ts';
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
} from './image-store.ts';
import type { TagState } from './tag-editor.ts';

/** Of one read: Node's 64 KiB cost a layer's reader a twentieth more CPU, 256 KiB memory. */
const readBytes = 128 * 1024;
const refName = 'org.opencontainers.image.ref.name';

/**
 * Opens an OCI image layout folder (image-spec, image-layout.md) as a store of images; it is made if it does not exist.
 * Tags are entries of `index.json` named `HOST/PATH:TAG`; digests are found in any repository, as all blobs lie in one
 * folder. Several processes may write to it. Throws ERR_REGISTRY_LAYOUT.
 */
export async function openLayoutStore(folder: string, clock: Clock): Promise<ImageStore> {
  return new LayoutStore(await LayoutFolder.open(folder, clock), clock);
}

class LayoutStore implements ImageStore {
  readonly #folder: LayoutFolder;
  readonly #clock: Clock;
  readonly #turns = new KeyedTurns();
  /** Subject by digest of the manifest that refers to it; `false` for manifests without one. */
  readonly #subjects = new LRUCache<Digest, Digest | false>({ max: registryLimits.rememberedBlobs });

  constructor(folder: LayoutFolder, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  async headManifest(
    repository: Repository,
    reference: string,
    options: CallOptions,
  ): Promise<Descriptor | undefined> {
    return (await this.getManifest(repository, reference, options))?.descriptor;
  }

  async getManifest(
    repository: Repository,
    reference: string,
    options: CallOptions,
  ): Promise<StoredManifest | undefined> {
    const entry = isDigest(reference) ? undefined : await this.#findTag(repository, reference);
    const digest = isDigest(reference) ? reference : entry?.digest;
    return digest === undefined ? undefined : this.#read(digest, entry, options);
  }

  async headBlob(
    _repository: Repository,
    digest: Digest,
    { signal }: CallOptions,
  ): Promise<BlobKey | undefined> {
    signal.throwIfAborted();
    const size = await this.#folder.findBlobSize(digest);
    return size === undefined ? undefined : { digest, size };
  }

  async openBlob(_repository: Repository, blob: BlobKey, { signal }: CallOptions): Promise<BlobStream> {
    signal.throwIfAborted();
    if ((await this.#folder.findBlobSize(blob.digest)) === undefined) throw blobAbsent(blob.digest);
    return verifyStream(
      createReadStream(this.#folder.blobPath(blob.digest), { signal, highWaterMark: readBytes }),
      {
        blob,
        object: blob.digest,
        translate: (error) => fromRegistryFault(error, blob.digest),
      },
    );
  }

  async getBlob(
    repository: Repository,
    blob: BlobKey,
    options: CallOptions & { readonly maxBytes: number },
  ): Promise<Uint8Array> {
    return collectBlob(blob, options.maxBytes, blob.digest, () => this.openBlob(repository, blob, options));
  }

  async putBlob(_repository: Repository, bytes: Uint8Array, { signal }: CallOptions): Promise<BlobKey> {
    signal.throwIfAborted();
    const blob = { digest: digestOf(bytes), size: bytes.byteLength };
    if ((await this.#folder.findBlobSize(blob.digest)) !== blob.size) {
      await this.#folder.writeBlob(blob.digest, bytes);
    }
    return blob;
  }

  async putManifest(
    repository: Repository,
    reference: string,
    manifest: NewManifest,
    options: CallOptions,
  ): Promise<Digest> {
    const descriptor = await this.#putManifestBlob(repository, manifest, options);
    const name = isDigest(reference) ? undefined : nameOf(repository, reference);
    await this.#folder.changeIndex((entries) => withEntry(entries, descriptor, name), options);
    return descriptor.digest;
  }

  async updateTag(
    repository: Repository,
    tag: string,
    edit: TagEdit,
    options: CallOptions,
  ): Promise<TagUpdate> {
    const object = nameOf(repository, tag);
    return this.#turns.run(object, options.signal, () =>
      editTag(
        {
          object,
          read: async () => {
            const manifest = await this.getManifest(repository, tag, options);
            return manifest === undefined ? undefined : { manifest };
          },
          write: (manifest, previous) => this.#replaceTag({ repository, tag }, manifest, previous, options),
          currentDigest: async () => (await this.#findTag(repository, tag))?.digest,
        },
        edit,
        this.#clock,
        options,
      ),
    );
  }

  async listReferrers(_repository: Repository, digest: Digest, options: CallOptions): Promise<ReferrerList> {
    const found = new Map<Digest, Descriptor>();
    for (const entry of await this.#folder.readIndex()) {
      options.signal.throwIfAborted();
      if ((await this.#subjectOf(entry, options)) === digest) found.set(entry.digest, entry);
      if (found.size > limits.referrers) break;
    }
    const descriptors = [...found.values()];
    return { descriptors: descriptors.slice(0, limits.referrers), truncated: found.size > limits.referrers };
  }

  async putReferrer(repository: Repository, manifest: NewManifest, options: CallOptions): Promise<Digest> {
    const { digest } = await this.#putManifestBlob(repository, manifest, options);
    const { manifest: parsed } = parseManifest(manifest.bytes, manifest.mediaType, digest);
    if (isImageIndex(parsed) || parsed.subject === undefined) {
      throw new AppError('ERR_REGISTRY_NO_SUBJECT', `the referrer ${digest} names no subject`, {
        kind: 'bug',
      });
    }
    const descriptor = referrerDescriptor(parsed, manifest);
    await this.#folder.changeIndex((entries) => withEntry(entries, descriptor, undefined), options);
    return digest;
  }

  async #putManifestBlob(
    repository: Repository,
    { bytes, mediaType }: NewManifest,
    options: CallOptions,
  ): Promise<Descriptor> {
    const blob = await this.putBlob(repository, bytes, options);
    if (blob.size > limits.manifestBytes) throw tooLarge(blob.digest, limits.manifestBytes);
    return { mediaType, size: blob.size, digest: blob.digest };
  }

  async #replaceTag(
    { repository, tag }: { readonly repository: Repository; readonly tag: string },
    manifest: NewManifest,
    previous: TagState | undefined,
    options: CallOptions,
  ): Promise<void> {
    const name = nameOf(repository, tag);
    const descriptor = await this.#putManifestBlob(repository, manifest, options);
    const changed = await this.#folder.changeIndex((entries) => {
      const current = entries.find((entry) => isNamed(entry, name))?.digest;
      const isAsRead = current === previous?.manifest.descriptor.digest;
      return isAsRead ? withEntry(entries, descriptor, name) : undefined;
    }, options);
    if (!changed) {
      const message = `${name} was changed by another process`;
      throw new AppError('ERR_REGISTRY_PRECONDITION', message, { kind: 'passing', object: name });
    }
  }

  async #findTag(repository: Repository, tag: string): Promise<Descriptor | undefined> {
    const name = nameOf(repository, tag);
    return (await this.#folder.readIndex()).find((entry) => isNamed(entry, name));
  }

  async #read(
    digest: Digest,
    entry: Descriptor | undefined,
    options: CallOptions,
  ): Promise<StoredManifest | undefined> {
    const size = await this.#folder.findBlobSize(digest);
    if (size === undefined) return undefined;
    if (size > limits.manifestBytes) throw tooLarge(digest, limits.manifestBytes);
    const chunks: Uint8Array[] = [];
    await using stream = await this.openBlob({ registry: '', path: '' }, { digest, size }, options);
    for await (const chunk of stream) chunks.push(chunk);
    return storedManifest(Buffer.concat(chunks), {
      object: digest,
      expected: digest,
      contentType: entry?.mediaType,
    });
  }

  async #subjectOf(entry: Descriptor, options: CallOptions): Promise<Digest | undefined> {
    const known = this.#subjects.get(entry.digest);
    if (known !== undefined) return known === false ? undefined : known;
    if (entry.mediaType !== mediaTypes.ociManifest) return undefined;
    const stored = await this.#read(entry.digest, entry, options);
    const subject =
      stored === undefined || isImageIndex(stored.manifest) ? undefined : stored.manifest.subject;
    this.#subjects.set(entry.digest, subject?.digest ?? false);
    return subject?.digest;
  }
}

function nameOf(repository: Repository, tag: string): string {
  return `${formatRepository(repository)}:${tag}`;
}

function isNamed(entry: Descriptor, name: string): boolean {
  return entry.annotations?.[refName] === name;
}

/** The entries with one more: under a name it replaces the one that had the name; without, it is listed once. */
function withEntry(
  entries: readonly Descriptor[],
  descriptor: Descriptor,
  name: string | undefined,
): readonly Descriptor[] | undefined {
  if (name === undefined) {
    const isListed = entries.some(({ digest }) => digest === descriptor.digest);
    return isListed ? undefined : [...entries, descriptor];
  }
  const named = { ...descriptor, annotations: { ...descriptor.annotations, [refName]: name } };
  return [...entries.filter((entry) => !isNamed(entry, name)), named];
}
