import { z } from 'zod';
import { digestOf, isDigest, parseDigest } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';
import { parseImageReference } from '../model/image-reference.ts';
import { limits } from '../model/limits.ts';
import { isIndexMediaType, mediaTypes } from '../model/oci.ts';
import type { Descriptor, ImageManifest } from '../model/oci.ts';
import { ArchiveIndex } from './archive-index.ts';
import type { ArchiveFile } from './archive-index.ts';
import { toLayerSource } from './image-source.ts';
import type { LayerSource } from './layer-source.ts';
import { archiveFault } from './sbom-fault.ts';

/** Which image of an archive is meant. */
export interface ImageArchiveOptions {
  readonly signal: AbortSignal;
  /** The platform to take; absent: `preferred`. */
  readonly platform?: ArchivePlatform;
  /** Of several platforms the one to take; a lone image is taken whatever it is for. Absent: the first. */
  readonly preferred?: ArchivePlatform;
}

interface ArchivePlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const digestText = z.string().refine(isDigest);
const descriptor = z.object({
  mediaType: z.string(),
  digest: digestText,
  size: z.number().int().nonnegative(),
  annotations: z.record(z.string(), z.string()).optional(),
  platform: z
    .object({ os: z.string(), architecture: z.string(), variant: z.string().exactOptional() })
    .optional(),
});
const indexSchema = z.object({ manifests: z.array(descriptor).max(limits.indexManifests) });
const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor) });
const dockerSchema = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()) }),
);
const layerType = 'application/vnd.oci.image.layer.v1.tar';
const maxNesting = 4;

/**
 * The image in a tar file: an OCI layout (`index.json`), else what `docker save` writes (`manifest.json`, whose images
 * have no manifest digest: the config's stands for it). Layers are read from the file when they are opened. Throws
 * ERR_SBOM_ARCHIVE and what {@link toLayerSource} and the tar reader throw.
 */
export async function openImageArchive(
  file: ArchiveFile,
  options: ImageArchiveOptions,
): Promise<LayerSource> {
  const archive = await ArchiveIndex.read(file, options);
  const layout = await archive.json('index.json', options);
  if (layout !== undefined) return await openLayout(archive, layout, options);
  const docker = await archive.json('manifest.json', options);
  if (docker !== undefined) return await openDocker(archive, docker, options);
  throw archiveFault('holds neither index.json nor manifest.json', { object: file.name });
}

async function openLayout(
  archive: ArchiveIndex,
  layout: unknown,
  options: ImageArchiveOptions,
): Promise<LayerSource> {
  const top = check(indexSchema, layout, archive.name).manifests as readonly Descriptor[];
  const found = await findManifest(archive, top, options);
  const bytes = await readBlob(archive, found, options);
  const manifest = check(manifestSchema, parseJson(bytes, archive.name), archive.name);
  const annotations = top.map((one) => one.annotations ?? {});
  const name = annotations.flatMap((one) => one['io.containerd.image.name'] ?? [])[0];
  return toLayerSource({
    ...nameOf(name, archive.name),
    digest: found.digest,
    manifest: { schemaVersion: 2, ...manifest } as ImageManifest,
    config: await readBlob(archive, manifest.config as Descriptor, options),
    open: (layer, request) => Promise.resolve(archive.open(blobPath(layer.digest), request)),
  });
}

/** The image manifest for the platform, nested indexes followed; attestations that lie beside are none. */
async function findManifest(
  archive: ArchiveIndex,
  candidates: readonly Descriptor[],
  options: ImageArchiveOptions,
): Promise<Descriptor> {
  let level = candidates;
  for (let depth = 0; depth < maxNesting; depth += 1) {
    const images = level.filter(isImage);
    if (images.length > 0) return choose(images, options, archive.name);
    const index = level.find(({ mediaType }) => isIndexMediaType(mediaType));
    if (index === undefined) break;
    const nested = parseJson(await readBlob(archive, index, options), archive.name);
    level = check(indexSchema, nested, archive.name).manifests as readonly Descriptor[];
  }
  throw archiveFault('holds no image', { object: archive.name });
}

function choose(
  images: readonly Descriptor[],
  { platform: required, preferred }: ImageArchiveOptions,
  object: string,
): Descriptor {
  const wanted = required ?? (images.length === 1 ? undefined : preferred);
  const found = images.find(({ platform }) => isFor(platform, wanted));
  if (found !== undefined) return found;
  const held = images.map(({ platform }) => (platform === undefined ? 'unknown' : nameOfPlatform(platform)));
  const asked = wanted === undefined ? '' : ` for ${nameOfPlatform(wanted)}`;
  throw archiveFault(`holds no image${asked}, only for ${held.join(', ')}`, { object });
}

function isImage({ mediaType, annotations }: Descriptor): boolean {
  const isManifest = mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest;
  return isManifest && annotations?.['vnd.docker.reference.type'] === undefined;
}

/** True also where either side says nothing of it: `docker save` states no platform. */
function isFor(platform: ArchivePlatform | undefined, wanted: ArchivePlatform | undefined): boolean {
  if (wanted === undefined || platform === undefined) return true;
  return (
    platform.os === wanted.os &&
    platform.architecture === wanted.architecture &&
    (wanted.variant === undefined || platform.variant === wanted.variant)
  );
}

function nameOfPlatform({ os, architecture, variant }: ArchivePlatform): string {
  return [os, architecture, variant].filter((part) => part !== undefined).join('/');
}

async function readBlob(
  archive: ArchiveIndex,
  blob: Descriptor,
  options: ImageArchiveOptions,
): Promise<Buffer> {
  const bytes = await archive.bytes(blobPath(blob.digest), options);
  if (bytes === undefined) throw archiveFault(`lacks the blob ${blob.digest}`, { object: archive.name });
  if (digestOf(bytes) !== blob.digest)
    throw archiveFault(`has other bytes under ${blob.digest}`, { object: archive.name });
  return bytes;
}

function blobPath(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}

async function openDocker(
  archive: ArchiveIndex,
  docker: unknown,
  options: ImageArchiveOptions,
): Promise<LayerSource> {
  const [image] = check(dockerSchema, docker, archive.name);
  if (image === undefined) throw archiveFault('holds no image', { object: archive.name });
  const config = await archive.bytes(image.Config, options);
  if (config === undefined)
    throw archiveFault(`lacks ${image.Config.slice(0, 100)}`, { object: archive.name });
  const paths = new Map<string, string>();
  const layers: Descriptor[] = [];
  for (const path of image.Layers) {
    const size = archive.sizeOf(path);
    if (size === undefined)
      throw archiveFault(`lacks the layer ${path.slice(0, 100)}`, { object: archive.name });
    const digest = parseDigest(await archive.digest(path, options));
    paths.set(digest, path);
    layers.push({ mediaType: layerType, digest, size });
  }
  const digest = digestOf(config);
  return toLayerSource({
    ...nameOf(image.RepoTags?.[0], archive.name),
    digest,
    manifest: {
      schemaVersion: 2,
      config: { mediaType: mediaTypes.ociConfig, digest, size: config.length },
      layers,
    },
    config,
    open: (layer, request) => Promise.resolve(archive.open(paths.get(layer.digest) ?? '', request)),
  });
}

function nameOf(
  reference: string | undefined,
  file: string,
): { readonly name: string; readonly tag?: string } {
  if (reference === undefined) return { name: file };
  try {
    const { repository, tag } = parseImageReference(reference);
    return { name: `${repository.registry}/${repository.path}`, ...(tag === undefined ? {} : { tag }) };
  } catch {
    // A name that is no reference is only a label here.
    return { name: file };
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown, name: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw archiveFault(`is malformed (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`, {
    object: name,
  });
}

function parseJson(bytes: Buffer, name: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw archiveFault('has a manifest that is not JSON', { object: name, cause: error });
  }
}
