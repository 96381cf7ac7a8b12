import { LRUCache } from 'lru-cache';
import { digestOf } from '../model/digest.ts';
import { deadlines } from '../model/limits.ts';
import { SharedWork } from '../model/shared-work.ts';
import { formatRepository } from '../model/image-reference.ts';
import { blobAbsent, brokenAnswer, digestMismatch, fromRegistryFault } from './registry-faults.ts';
import { registryLimits, registryTimes } from './registry-limits.ts';
import { collectBlob, verifyStream } from './verified-stream.ts';
import type { Digest } from '../model/digest.ts';
import type { Repository } from '../model/image-reference.ts';
import type { BlobKey, BlobStream, CallOptions } from './image-store.ts';
import type { RegistryTransport } from './registry-transport.ts';

/** Up to this size two requests for an upload are dearer than one to ask, only if the blob is there. */
const askFirstBytes = 256 * 1024;
const msPerByte = 1 / 1000;

/** Blobs that were seen in a repository lately; shared by all users of the registries. */
export class KnownBlobs {
  readonly #seen = new LRUCache<string, true>({
    max: registryLimits.rememberedBlobs,
    ttl: registryTimes.memoryMs,
  });

  has(object: string): boolean {
    return this.#seen.has(object);
  }

  add(object: string): void {
    this.#seen.set(object, true);
  }

  /** Forgets everything: a registry missed a blob that it was known to hold (garbage collection). */
  clear(): void {
    this.#seen.clear();
  }
}

/** Blobs of one registry user (distribution-spec, "Pulling blobs" and "Pushing blobs"). */
export class BlobClient {
  readonly #transport: RegistryTransport;
  readonly #known: KnownBlobs;
  readonly #putting = new SharedWork<void>();

  constructor(transport: RegistryTransport, known: KnownBlobs) {
    this.#transport = transport;
    this.#known = known;
  }

  /** What the registry says of a blob; the bytes prove it. */
  async head(repository: Repository, digest: Digest, { signal }: CallOptions): Promise<BlobKey | undefined> {
    const object = nameOf(repository, { digest });
    const answer = await this.#transport.send({
      repository,
      method: 'HEAD',
      target: `blobs/${digest}`,
      access: 'pull',
      object,
      expect: [200, 404],
      signal,
    });
    if (answer.status === 404) return undefined;
    const length = answer.header('content-length') ?? '';
    if (!/^\d{1,15}$/.test(length)) throw brokenAnswer(object, 'it states no Content-Length');
    return { digest, size: Number(length) };
  }

  async open(repository: Repository, blob: BlobKey, { signal }: CallOptions): Promise<BlobStream> {
    const object = nameOf(repository, blob);
    const answer = await this.#transport.open({
      repository,
      method: 'GET',
      target: `blobs/${blob.digest}`,
      access: 'pull',
      object,
      expect: [200, 404],
      signal,
    });
    if (answer.status === 404) throw blobAbsent(object);
    const stream = verifyStream(answer.body, {
      blob,
      object,
      translate: (error) => fromRegistryFault(error, object),
    });
    const length = answer.header('content-length');
    if (length !== undefined && Number(length) !== blob.size) {
      await stream[Symbol.asyncDispose]();
      throw digestMismatch(object, blob.digest, `${length} instead of ${blob.size} bytes were announced`);
    }
    return stream;
  }

  async get(
    repository: Repository,
    blob: BlobKey,
    options: CallOptions & { readonly maxBytes: number },
  ): Promise<Uint8Array> {
    const limitMs = Math.ceil(deadlines.registryMs + blob.size * msPerByte);
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(limitMs)]);
    return collectBlob(blob, options.maxBytes, nameOf(repository, blob), () =>
      this.open(repository, blob, { signal }),
    );
  }

  /** Those who put the same bytes at the same time wait for one upload. */
  async put(
    repository: Repository,
    bytes: Uint8Array,
    { signal, likelyPresent = false }: CallOptions & { readonly likelyPresent?: boolean },
  ): Promise<BlobKey> {
    const blob = { digest: digestOf(bytes), size: bytes.byteLength };
    const object = nameOf(repository, blob);
    if (this.#known.has(object)) return blob;
    const put = async (shared: AbortSignal): Promise<void> => {
      const asksFirst = likelyPresent || blob.size > askFirstBytes;
      if (asksFirst && (await this.#exists(repository, blob, { signal: shared }))) return;
      await this.#upload(repository, blob, bytes, { signal: shared });
    };
    await this.#putting.join(object, put, signal);
    this.#known.add(object);
    return blob;
  }

  async #exists(repository: Repository, blob: BlobKey, { signal }: CallOptions): Promise<boolean> {
    const answer = await this.#transport.send({
      repository,
      method: 'HEAD',
      target: `blobs/${blob.digest}`,
      access: 'push',
      object: nameOf(repository, blob),
      expect: [200, 404],
      signal,
    });
    return answer.status === 200;
  }

  /** A monolithic upload: POST for a place, PUT the bytes there. */
  async #upload(
    repository: Repository,
    blob: BlobKey,
    bytes: Uint8Array,
    { signal }: CallOptions,
  ): Promise<void> {
    const object = nameOf(repository, blob);
    const call = { repository, access: 'push', object, signal } as const;
    const started = await this.#transport.send({
      ...call,
      method: 'POST',
      target: 'blobs/uploads/',
      headers: { 'content-length': '0' },
      expect: [202],
    });
    const place = await this.#transport.addressOf(call, 'blobs/uploads/');
    const target = this.#transport.resolve(call, started, place);
    target.searchParams.set('digest', blob.digest);
    const stored = await this.#transport.send({
      ...call,
      method: 'PUT',
      target,
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes,
      expect: [201, 204],
    });
    const digest = stored.header('docker-content-digest');
    if (digest !== undefined && digest !== blob.digest)
      throw brokenAnswer(object, 'it was stored under another digest');
  }
}

function nameOf(repository: Repository, blob: Pick<BlobKey, 'digest'>): string {
  return `${formatRepository(repository)}@${blob.digest}`;
}
