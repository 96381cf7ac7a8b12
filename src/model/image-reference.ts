import { AppError } from './errors.ts';
import { isDigest } from './digest.ts';
import type { Digest } from './digest.ts';

/** A repository in a registry, e.g. `{registry: 'harbor.golems.internal', path: 'golem-trust/app'}`. */
export interface Repository {
  /** Host with optional port, as in the reference; Docker Hub is `index.docker.io`. */
  readonly registry: string;
  /** Path without leading slash. */
  readonly path: string;
}

/** A parsed image reference; at least one of `tag` and `digest` may be absent, then the tag `latest` is meant. */
export interface ImageReference {
  readonly repository: Repository;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** An image reference that is pinned by digest. */
export interface PinnedImage {
  readonly repository: Repository;
  readonly digest: Digest;
}

const hubRegistry = 'index.docker.io';
const host = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::\d{1,5})?$/i;
const path = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const maxReferenceLength = 1024;

/**
 * Parses an image reference by the rules of the distribution reference grammar, with Docker's short names
 * (`busybox` is `index.docker.io/library/busybox`). Throws ERR_IMAGE_REFERENCE.
 */
export function parseImageReference(value: string): ImageReference {
  if (value.length > maxReferenceLength) throw malformed(value, 'it is too long');
  const [name, digestText, extra] = value.split('@');
  if (name === undefined || extra !== undefined) throw malformed(value, 'it has more than one @');
  if (digestText !== undefined && !isDigest(digestText)) throw malformed(value, 'its digest is malformed');
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  const tag = colon === -1 ? undefined : name.slice(colon + 1);
  if (tag !== undefined && !tagPattern.test(tag)) throw malformed(value, 'its tag is malformed');
  return {
    repository: parseRepository(colon === -1 ? name : name.slice(0, colon)),
    ...(tag === undefined ? {} : { tag }),
    ...(digestText === undefined ? {} : { digest: digestText }),
  };
}

/** Parses `HOST/PATH` or a Docker short name without tag and digest. Throws ERR_IMAGE_REFERENCE. */
export function parseRepository(value: string): Repository {
  const slash = value.indexOf('/');
  const first = slash === -1 ? '' : value.slice(0, slash);
  const isHost = first === 'localhost' || first.includes('.') || first.includes(':');
  const registry = isHost ? (first === 'docker.io' ? hubRegistry : first) : hubRegistry;
  const rest = isHost ? value.slice(slash + 1) : value;
  const full = registry === hubRegistry && !rest.includes('/') ? `library/${rest}` : rest;
  if (!host.test(registry)) throw malformed(value, 'its registry is malformed');
  if (full.length > 255 || !path.test(full)) throw malformed(value, 'its repository is malformed');
  return { registry, path: full };
}

/** `HOST/PATH` of a repository. */
export function formatRepository(repository: Repository): string {
  return `${repository.registry}/${repository.path}`;
}

/** The reference as text: `HOST/PATH[:TAG][@DIGEST]`. */
export function formatImageReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${formatRepository(reference.repository)}${tag}${digest}`;
}

/** Parses a reference that must carry a digest; a tag beside it is dropped. Throws ERR_IMAGE_REFERENCE. */
export function parsePinnedImage(value: string): PinnedImage {
  const { repository, digest } = parseImageReference(value);
  if (digest === undefined) throw malformed(value, 'it names no digest');
  return { repository, digest };
}

function malformed(value: string, why: string): AppError {
  return new AppError('ERR_IMAGE_REFERENCE', `"${value.slice(0, 200)}" is no image reference: ${why}`, {
    kind: 'permanent',
    remedy: 'Write it as HOST/PATH:TAG or HOST/PATH@sha256:<64 hex>.',
  });
}
