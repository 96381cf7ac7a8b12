import { AppError } from '../model/errors.ts';
import { digestOf, isDigest } from '../model/digest.ts';
import { limits } from '../model/limits.ts';
import { formatRepository } from '../model/image-reference.ts';
import { storedManifest } from './manifest-check.ts';
import { manifestMediaTypes } from './manifest-parser.ts';
import { brokenAnswer, describeErrors, tooLarge } from './registry-faults.ts';
import type { Digest } from '../model/digest.ts';
import type { Repository } from '../model/image-reference.ts';
import type { Descriptor } from '../model/oci.ts';
import type { KnownBlobs } from './blob-client.ts';
import type { BufferedAnswer } from './http-sender.ts';
import type { CallOptions, NewManifest } from './image-store.ts';
import type { RegistryTransport } from './registry-transport.ts';
import type { TagState } from './tag-editor.ts';

/** How a registry took a manifest. */
export interface ManifestReceipt {
  readonly digest: Digest;
  /** True if it said that it listed the manifest as a referrer of its subject (`OCI-Subject`). */
  readonly isListedAsReferrer: boolean;
}

/** Manifests of one registry user (distribution-spec, "Pulling manifests" and "Pushing manifests"). */
export class ManifestClient {
  readonly #transport: RegistryTransport;
  readonly #known: KnownBlobs;

  constructor(transport: RegistryTransport, known: KnownBlobs) {
    this.#transport = transport;
    this.#known = known;
  }

  async head(
    repository: Repository,
    reference: string,
    { signal }: CallOptions,
  ): Promise<Descriptor | undefined> {
    const call = readCall(repository, reference, signal);
    const answer = await this.#transport.send({ ...call, method: 'HEAD' });
    if (answer.status === 404) return undefined;
    const digest = answer.header('docker-content-digest');
    const mediaType = contentType(answer);
    const size = Number(answer.header('content-length') ?? Number.NaN);
    if (!isDigest(digest) || mediaType === undefined || !Number.isSafeInteger(size) || size <= 0) {
      // The header is optional in the specification: read the manifest then.
      return (await this.get(repository, reference, { signal }))?.manifest.descriptor;
    }
    if (isDigest(reference) && digest !== reference && sameAlgorithm(digest, reference)) {
      throw brokenAnswer(call.object, 'another digest was stated');
    }
    return { mediaType, digest: isDigest(reference) ? reference : digest, size };
  }

  async get(
    repository: Repository,
    reference: string,
    { signal }: CallOptions,
  ): Promise<TagState | undefined> {
    const call = readCall(repository, reference, signal);
    const answer = await this.#transport.send({ ...call, method: 'GET', maxBytes: limits.manifestBytes });
    if (answer.status === 404) return undefined;
    const stated = answer.header('docker-content-digest');
    const expected = isDigest(reference) ? reference : isDigest(stated) ? stated : undefined;
    const manifest = storedManifest(answer.bytes, {
      object: call.object,
      ...(expected === undefined ? {} : { expected }),
      contentType: contentType(answer),
    });
    const etag = answer.header('etag');
    return { manifest, ...(etag === undefined ? {} : { etag }) };
  }

  /** Faults besides those of the transport: ERR_REGISTRY_PRECONDITION if the tag is not as `previous` any more. */
  async put(
    repository: Repository,
    reference: string,
    manifest: NewManifest,
    options: CallOptions & { readonly previous?: TagState | undefined },
  ): Promise<ManifestReceipt> {
    const object = nameOf(repository, reference);
    if (manifest.bytes.byteLength > limits.manifestBytes) throw tooLarge(object, limits.manifestBytes);
    const etag = options.previous?.etag;
    const answer = await this.#transport.send({
      repository,
      method: 'PUT',
      target: `manifests/${reference}`,
      access: 'push',
      headers: { 'content-type': manifest.mediaType, ...(etag === undefined ? {} : { 'if-match': etag }) },
      body: manifest.bytes,
      object,
      expect: [201, 200, 202, 400, 404, 412],
      signal: options.signal,
    });
    if (answer.status >= 400) throw this.#refusal(answer, object);
    const digest = digestOf(manifest.bytes);
    const stated = answer.header('docker-content-digest');
    if (isDigest(stated) && sameAlgorithm(stated, digest) && stated !== digest) {
      throw brokenAnswer(object, 'it was stored under another digest');
    }
    return { digest, isListedAsReferrer: answer.header('oci-subject') !== undefined };
  }

  #refusal(answer: BufferedAnswer, object: string): AppError {
    const detail = describeErrors(answer.bytes);
    if (answer.status === 412) {
      return new AppError('ERR_REGISTRY_PRECONDITION', `the registry keeps ${object} as it is${detail}`, {
        kind: 'passing',
        object,
        remedy: 'Exempt signature and attestation tags (sha256-*) from the registry’s immutable tag rules.',
      });
    }
    // What was seen before may have been collected since; the next try uploads it again.
    this.#known.clear();
    const kind = answer.status === 404 || detail.includes('_UNKNOWN') ? 'passing' : 'permanent';
    return new AppError('ERR_REGISTRY_REFUSED', `the registry refused ${object}: ${answer.status}${detail}`, {
      kind,
      object,
      remedy: 'Read the registry’s reason: a missing project, a quota, an immutable tag or a size limit.',
    });
  }
}

function readCall(repository: Repository, reference: string, signal: AbortSignal) {
  return {
    repository,
    target: `manifests/${reference}`,
    access: 'pull',
    headers: { accept: manifestMediaTypes.join(', ') },
    object: nameOf(repository, reference),
    expect: [200, 404],
    signal,
  } as const;
}

function nameOf(repository: Repository, reference: string): string {
  return `${formatRepository(repository)}${isDigest(reference) ? '@' : ':'}${reference}`;
}

function contentType(answer: BufferedAnswer): string | undefined {
  return answer.header('content-type')?.split(';')[0]?.trim();
}

function sameAlgorithm(a: Digest, b: Digest): boolean {
  return a.length === b.length;
}
