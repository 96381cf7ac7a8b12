import { formatRepository } from '../model/image-reference.ts';
import { BlobClient, KnownBlobs } from './blob-client.ts';
import { anonymousSource } from './credentials.ts';
import { KeyedTurns } from './keyed-turns.ts';
import { ManifestClient } from './manifest-client.ts';
import { ReferrersClient, ReferrersSupport } from './referrers-client.ts';
import { RegistryTransport, SharedTransport } from './registry-transport.ts';
import { editTag } from './tag-editor.ts';
import type { Digest } from '../model/digest.ts';
import type { Repository } from '../model/image-reference.ts';
import type { Descriptor } from '../model/oci.ts';
import type { CredentialSource } from './credentials.ts';
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
import type { TransportOptions } from './registry-transport.ts';

/** Settings of {@link openRegistries}. */
export type RegistriesOptions = TransportOptions;

/** All OCI registries; what is learnt about them is shared between the stores that it gives. */
export interface Registries {
  /**
   * The registries as seen with the credentials of `source` (none by default). Cheap: make one for each run, so that a
   * run never acts with another namespace's credentials.
   */
  withCredentials(source?: CredentialSource): ImageStore;
}

/** Opens the way to OCI registries (distribution-spec 1.1) over the connections that are handed in. Sends nothing yet. */
export function openRegistries(options: RegistriesOptions): Registries {
  const shared: SharedParts = {
    transport: new SharedTransport(options),
    known: new KnownBlobs(),
    support: new ReferrersSupport(),
    turns: new KeyedTurns(),
  };
  return {
    withCredentials: (source = anonymousSource) => new DistributionStore(shared, source),
  };
}

interface SharedParts {
  readonly transport: SharedTransport;
  readonly known: KnownBlobs;
  readonly support: ReferrersSupport;
  readonly turns: KeyedTurns;
}

class DistributionStore implements ImageStore {
  readonly #shared: SharedParts;
  readonly #blobs: BlobClient;
  readonly #manifests: ManifestClient;
  readonly #referrers: ReferrersClient;

  constructor(shared: SharedParts, source: CredentialSource) {
    const transport = new RegistryTransport(shared.transport, source);
    this.#shared = shared;
    this.#blobs = new BlobClient(transport, shared.known);
    this.#manifests = new ManifestClient(transport, shared.known);
    this.#referrers = new ReferrersClient({
      transport,
      manifests: this.#manifests,
      support: shared.support,
      updateTag: (repository, tag, edit, options) => this.updateTag(repository, tag, edit, options),
    });
  }

  headManifest(
    repository: Repository,
    reference: string,
    options: CallOptions,
  ): Promise<Descriptor | undefined> {
    return this.#manifests.head(repository, reference, options);
  }

  async getManifest(
    repository: Repository,
    reference: string,
    options: CallOptions,
  ): Promise<StoredManifest | undefined> {
    return (await this.#manifests.get(repository, reference, options))?.manifest;
  }

  headBlob(repository: Repository, digest: Digest, options: CallOptions): Promise<BlobKey | undefined> {
    return this.#blobs.head(repository, digest, options);
  }

  openBlob(repository: Repository, blob: BlobKey, options: CallOptions): Promise<BlobStream> {
    return this.#blobs.open(repository, blob, options);
  }

  getBlob(
    repository: Repository,
    blob: BlobKey,
    options: CallOptions & { readonly maxBytes: number },
  ): Promise<Uint8Array> {
    return this.#blobs.get(repository, blob, options);
  }

  putBlob(
    repository: Repository,
    bytes: Uint8Array,
    options: CallOptions & { readonly likelyPresent?: boolean },
  ): Promise<BlobKey> {
    return this.#blobs.put(repository, bytes, options);
  }

  async putManifest(
    repository: Repository,
    reference: string,
    manifest: NewManifest,
    options: CallOptions,
  ): Promise<Digest> {
    return (await this.#manifests.put(repository, reference, manifest, options)).digest;
  }

  async updateTag(
    repository: Repository,
    tag: string,
    edit: TagEdit,
    options: CallOptions,
  ): Promise<TagUpdate> {
    const object = `${formatRepository(repository)}:${tag}`;
    return this.#shared.turns.run(object, options.signal, () =>
      editTag(
        {
          object,
          read: () => this.#manifests.get(repository, tag, options),
          write: async (manifest, previous) => {
            await this.#manifests.put(repository, tag, manifest, { ...options, previous });
          },
          currentDigest: async () => (await this.#manifests.head(repository, tag, options))?.digest,
        },
        edit,
        this.#shared.transport.clock,
        options,
      ),
    );
  }

  listReferrers(repository: Repository, digest: Digest, options: CallOptions): Promise<ReferrerList> {
    return this.#referrers.list(repository, digest, options);
  }

  putReferrer(repository: Repository, manifest: NewManifest, options: CallOptions): Promise<Digest> {
    return this.#referrers.put(repository, manifest, options);
  }
}
