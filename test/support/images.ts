import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { RegistrySession } from './registry-session.ts';

/** An image that a registry holds. */
export interface PushedImage {
  /** `HOST/PATH`. */
  readonly repository: string;
  /** `sha256:…` of its manifest or index. */
  readonly digest: string;
  /** `HOST/PATH@sha256:…`. */
  readonly ref: string;
  /** For an index: the digests of its platform manifests. */
  readonly platforms: readonly string[];
}

const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

/** `sha256:…` of bytes. */
export function sha256(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** What one platform's image is made of: one layer, and labels. */
export interface ImageContent {
  /** Uncompressed. */
  readonly archive: Buffer;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Pushes an image of one layer; each has a digest of its own, all share the layer. */
export async function pushImage(session: RegistrySession, repository: string): Promise<PushedImage> {
  return pushImageOf(session, repository, emptyImage());
}

/** Pushes an image index with a manifest for each of two platforms. */
export async function pushIndex(session: RegistrySession, repository: string): Promise<PushedImage> {
  return pushIndexOf(session, repository, emptyImage);
}

/** Pushes an image with this content. */
export async function pushImageOf(
  session: RegistrySession,
  repository: string,
  content: ImageContent,
): Promise<PushedImage> {
  const { digest } = await pushManifest(session, repository, { ...content, architecture: 'amd64' });
  return { repository, digest, ref: `${repository}@${digest}`, platforms: [] };
}

/** Pushes an image index for two platforms; `content` is asked for each. */
export async function pushIndexOf(
  session: RegistrySession,
  repository: string,
  content: () => ImageContent,
): Promise<PushedImage> {
  const manifests = [
    await pushManifest(session, repository, { ...content(), architecture: 'amd64' }),
    await pushManifest(session, repository, { ...content(), architecture: 'arm64' }),
  ];
  const index = json({ schemaVersion: 2, mediaType: mediaTypes.index, manifests });
  const digest = await session.putManifest(repository, index, mediaTypes.index);
  return {
    repository,
    digest,
    ref: `${repository}@${digest}`,
    platforms: manifests.map((one) => one.digest),
  };
}

async function pushManifest(
  session: RegistrySession,
  repository: string,
  { archive, labels, architecture }: ImageContent & { readonly architecture: string },
): Promise<Descriptor> {
  const layer = gzipSync(archive);
  const config = json({
    created: '2026-01-01T00:00:00Z',
    architecture,
    os: 'linux',
    ...(labels === undefined ? {} : { config: { Labels: labels } }),
    rootfs: { type: 'layers', diff_ids: [sha256(archive)] },
  });
  await session.putBlob(repository, layer);
  await session.putBlob(repository, config);
  const manifest = json({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: sha256(config), size: config.length },
    layers: [{ mediaType: mediaTypes.layer, digest: sha256(layer), size: layer.length }],
  });
  const digest = await session.putManifest(repository, manifest, mediaTypes.manifest);
  return {
    mediaType: mediaTypes.manifest,
    digest,
    size: manifest.length,
    platform: { os: 'linux', architecture },
  };
}

function emptyImage(): ImageContent {
  const revision = randomBytes(20).toString('hex');
  return { archive: emptyTar, labels: { 'org.opencontainers.image.revision': revision } };
}

// The end of an archive: two blocks of zeros.
const emptyTar = Buffer.alloc(1024);

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
