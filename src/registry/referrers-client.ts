import { LRUCache } from 'lru-cache';
import { AppError } from '../model/errors.ts';
import { digestOf } from '../model/digest.ts';
import { limits } from '../model/limits.ts';
import { formatRepository } from '../model/image-reference.ts';
import { mediaTypes } from '../model/oci.ts';
import { SharedWork } from '../model/shared-work.ts';
import { isImageIndex, parseManifest } from './manifest-parser.ts';
import { brokenAnswer } from './registry-faults.ts';
import { ReferrersTag } from './referrers-tag.ts';
import { registryLimits, registryTimes } from './registry-limits.ts';
import type { Digest } from '../model/digest.ts';
import type { PinnedImage, Repository } from '../model/image-reference.ts';
import type { Descriptor, ImageManifest } from '../model/oci.ts';
import type { BufferedAnswer } from './http-sender.ts';
import type { CallOptions, ImageStore, NewManifest, ReferrerList } from './image-store.ts';
import type { ManifestClient } from './manifest-client.ts';
import type { RegistryTransport } from './registry-transport.ts';

/** Which repositories' registries have the referrers API; shared by all users of the registries. */
export class ReferrersSupport {
  readonly #found = new LRUCache<string, boolean>({
    max: registryLimits.rememberedRepositories,
    ttl: registryTimes.memoryMs,
  });

  /** `undefined` if it is not known. */
  find(repository: Repository): boolean | undefined {
    return this.#found.get(formatRepository(repository));
  }

  note(repository: Repository, hasApi: boolean): void {
    this.#found.set(formatRepository(repository), hasApi);
  }
}

/** Referrers of one registry user: by the API, or by the referrers tag where the registry has none. */
export class ReferrersClient {
  readonly #transport: RegistryTransport;
  readonly #manifests: ManifestClient;
  readonly #support: ReferrersSupport;
  readonly #tag: ReferrersTag;
  readonly #listing = new SharedWork<ReferrerList>();

  constructor(parts: {
    readonly transport: RegistryTransport;
    readonly manifests: ManifestClient;
    readonly support: ReferrersSupport;
    readonly updateTag: ImageStore['updateTag'];
  }) {
    this.#transport = parts.transport;
    this.#manifests = parts.manifests;
    this.#support = parts.support;
    this.#tag = new ReferrersTag(parts);
  }

  /** Who asks while the same is asked waits for that answer. */
  async list(repository: Repository, digest: Digest, { signal }: CallOptions): Promise<ReferrerList> {
    const list = (shared: AbortSignal): Promise<ReferrerList> =>
      this.#list({ repository, digest }, { signal: shared });
    return this.#listing.join(nameOf(repository, digest), list, signal);
  }

  async #list({ repository, digest }: PinnedImage, options: CallOptions): Promise<ReferrerList> {
    if (this.#support.find(repository) !== false) {
      const listed = await this.#listByApi(repository, digest, options);
      this.#support.note(repository, listed !== undefined);
      if (listed !== undefined) return listed;
    }
    return bounded(await this.#tag.read({ repository, digest }, options));
  }

  /** Stores a manifest with a subject and lists it, if the registry does not do that by itself. */
  async put(repository: Repository, manifest: NewManifest, options: CallOptions): Promise<Digest> {
    const object = formatRepository(repository);
    const parsed = parseManifest(manifest.bytes, manifest.mediaType, object).manifest;
    if (isImageIndex(parsed) || parsed.subject === undefined) {
      throw new AppError('ERR_REGISTRY_NO_SUBJECT', `a referrer for ${object} names no subject`, {
        kind: 'bug',
        object,
      });
    }
    const image = { repository, digest: parsed.subject.digest };
    const descriptor = referrerDescriptor(parsed, manifest);
    const store = async (): Promise<Descriptor | undefined> => {
      await this.#store(image, descriptor.digest, manifest, options);
      return this.#support.find(repository) === true ? undefined : descriptor;
    };
    await this.#tag.listStored(image, store, options);
    return descriptor.digest;
  }

  /** Puts a manifest about `image`; afterwards it is known whether the registry lists it by itself. */
  async #store(
    { repository, digest: subject }: PinnedImage,
    digest: Digest,
    manifest: NewManifest,
    options: CallOptions,
  ): Promise<void> {
    const receipt = await this.#manifests.put(repository, digest, manifest, options);
    if (receipt.isListedAsReferrer) this.#support.note(repository, true);
    if (this.#support.find(repository) !== undefined) return;
    // Some registries have the API and do not say so when a manifest is pushed.
    const listed = await this.#listByApi(repository, subject, options);
    this.#support.note(repository, listed !== undefined);
  }

  /** `undefined` if the registry has no referrers API. */
  async #listByApi(
    repository: Repository,
    digest: Digest,
    { signal }: CallOptions,
  ): Promise<ReferrerList | undefined> {
    const object = nameOf(repository, digest);
    const found = new Map<Digest, Descriptor>();
    let target: string | URL = `referrers/${digest}`;
    for (let page = 0; page < registryLimits.referrerPages; page += 1) {
      const answer = await this.#transport.send({
        repository,
        method: 'GET',
        target,
        access: 'pull',
        headers: { accept: mediaTypes.ociIndex },
        object,
        expect: [200, 400, 404, 405, 406, 501],
        maxBytes: limits.manifestBytes,
        signal,
      });
      if (page === 0 && !isReferrersAnswer(answer)) return undefined;
      for (const descriptor of parsePage(answer, object)) found.set(descriptor.digest, descriptor);
      const next = nextPage(answer);
      if (next === undefined || found.size > limits.referrers) return bounded([...found.values()]);
      target = await this.#pageAddress({ repository, signal, object }, target, next);
    }
    return { ...bounded([...found.values()]), truncated: true };
  }

  async #pageAddress(
    call: { readonly repository: Repository; readonly signal: AbortSignal; readonly object: string },
    current: string | URL,
    next: string,
  ): Promise<URL> {
    const base = typeof current === 'string' ? await this.#transport.addressOf(call, current) : current;
    const url = URL.parse(next, base.href);
    if (url?.origin !== base.origin || !url.pathname.startsWith('/v2/')) {
      throw brokenAnswer(call.object, 'its next page lies elsewhere');
    }
    return url;
  }
}

function isReferrersAnswer(answer: BufferedAnswer): boolean {
  const type = answer.header('content-type')?.split(';')[0]?.trim();
  return answer.status === 200 && type === mediaTypes.ociIndex;
}

function parsePage(answer: BufferedAnswer, object: string): readonly Descriptor[] {
  if (!isReferrersAnswer(answer)) throw brokenAnswer(object, `status ${answer.status} for a further page`);
  const { manifest } = parseManifest(answer.bytes, mediaTypes.ociIndex, object);
  return isImageIndex(manifest) ? manifest.manifests : [];
}

/** The target of `Link: <...>; rel="next"` (RFC 8288). */
function nextPage(answer: BufferedAnswer): string | undefined {
  return /<([^<>]{1,4096})>\s*;\s*rel="?next"?/i.exec(answer.header('link') ?? '')?.[1];
}

function bounded(descriptors: readonly Descriptor[]): ReferrerList {
  return {
    descriptors: descriptors.slice(0, limits.referrers),
    truncated: descriptors.length > limits.referrers,
  };
}

/** The descriptor that a listing has of a referrer (distribution-spec, "Listing Referrers"). */
export function referrerDescriptor(manifest: ImageManifest, { bytes, mediaType }: NewManifest): Descriptor {
  return {
    mediaType,
    size: bytes.byteLength,
    digest: digestOf(bytes),
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
    artifactType: manifest.artifactType ?? manifest.config.mediaType,
  };
}

function nameOf(repository: Repository, digest: Digest): string {
  return `${formatRepository(repository)}@${digest}`;
}
