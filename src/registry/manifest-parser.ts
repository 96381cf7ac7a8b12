import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { isDigest } from '../model/digest.ts';
import { isIndexMediaType, mediaTypes } from '../model/oci.ts';
import type { ImageIndex, ImageManifest } from '../model/oci.ts';

/** Media types that we ask a registry for. */
export const manifestMediaTypes: readonly string[] = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerIndex,
];

const annotations = z.record(z.string(), z.string()).optional();
const descriptor = z.looseObject({
  mediaType: z.string().max(255),
  digest: z.string().refine(isDigest, 'malformed digest'),
  size: z.int().nonnegative(),
  annotations,
  artifactType: z.string().max(255).optional(),
  platform: z.looseObject({ os: z.string(), architecture: z.string() }).optional(),
});
// Go writes null for an empty list.
const descriptors = z
  .array(descriptor)
  .nullish()
  .transform((list) => list ?? []);
const base = {
  schemaVersion: z.literal(2),
  mediaType: z.string().max(255).optional(),
  artifactType: z.string().max(255).optional(),
  annotations,
  subject: descriptor.optional(),
};
const imageManifest = z.looseObject({ ...base, config: descriptor, layers: descriptors });
const imageIndex = z.looseObject({ ...base, manifests: descriptors });

/** True if `manifest` is an image index or manifest list. */
export function isImageIndex(manifest: ImageManifest | ImageIndex): manifest is ImageIndex {
  return 'manifests' in manifest;
}

/**
 * Parses a manifest (image-spec, manifest.md and image-index.md) and tells its media type. A document that could be
 * read as both an image and an index, or whose own media type differs from `contentType`, is refused (CVE-2021-41190).
 * Throws ERR_REGISTRY_MANIFEST.
 */
export function parseManifest(
  bytes: Uint8Array,
  contentType: string | undefined,
  object: string,
): { readonly mediaType: string; readonly manifest: ImageManifest | ImageIndex } {
  const json = parseJson(bytes, object);
  const hasManifests = 'manifests' in json;
  if (hasManifests && ('layers' in json || 'config' in json)) {
    throw malformed(object, 'it is both an image and an index');
  }
  const mediaType = mediaTypeOf(json, contentType, object);
  if (isIndexMediaType(mediaType) !== hasManifests)
    throw malformed(object, 'its content is not of its media type');
  const parsed = (hasManifests ? imageIndex : imageManifest).safeParse(json);
  if (!parsed.success) throw malformed(object, describe(parsed.error));
  return { mediaType, manifest: parsed.data as unknown as ImageManifest | ImageIndex };
}

function mediaTypeOf(json: Record<string, unknown>, contentType: string | undefined, object: string): string {
  const own = typeof json['mediaType'] === 'string' ? json['mediaType'] : undefined;
  // Servers that know no manifests (object stores, layout folders) state text/plain and the like.
  const stated =
    contentType !== undefined && manifestMediaTypes.includes(contentType) ? contentType : undefined;
  if (own !== undefined && stated !== undefined && own !== stated) {
    throw malformed(object, 'its media type differs from the Content-Type');
  }
  const assumed = 'manifests' in json ? mediaTypes.ociIndex : mediaTypes.ociManifest;
  const mediaType = own ?? stated ?? assumed;
  if (!manifestMediaTypes.includes(mediaType)) throw malformed(object, 'its media type is not known');
  return mediaType;
}

function parseJson(bytes: Uint8Array, object: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
      return json as Record<string, unknown>;
    }
  } catch {
    // Not JSON: told below.
  }
  throw malformed(object, 'it is no JSON object');
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? 'malformed' : `${issue.path.map(String).join('.')}: ${issue.code}`;
}

function malformed(object: string, why: string): AppError {
  return new AppError('ERR_REGISTRY_MANIFEST', `${object} is no usable OCI or Docker v2 manifest: ${why}`, {
    kind: 'permanent',
    object,
    remedy: 'Push the image again with a current tool.',
  });
}
