import { z } from 'zod';
import { digestOf, isDigest } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';
import { AppError } from '../model/errors.ts';
import type { Descriptor, ImageManifest } from '../model/oci.ts';
import type { LayerSource, SourceLayer } from './layer-source.ts';

/** An image whose manifest and config have been fetched. */
export interface ImageParts {
  /** Repository without tag. */
  readonly name: string;
  readonly tag?: string;
  /** Digest of the manifest. */
  readonly digest: Digest;
  readonly manifest: ImageManifest;
  /** Bytes of the config blob. */
  readonly config: Uint8Array;
  /** True if `open` itself refuses bytes of another size or digest. */
  readonly isChecked?: boolean;
  /** Opens a layer's blob. */
  open(layer: Descriptor, options: { readonly signal: AbortSignal }): Promise<AsyncIterable<Uint8Array>>;
}

/** image-spec, config.md: the fields that matter here; others are let through. */
const configSchema = z.object({
  os: z.string().max(100),
  architecture: z.string().max(100),
  variant: z.string().max(100).optional(),
  created: z.string().max(100).nullish(),
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
  rootfs: z.object({ diff_ids: z.array(z.string().refine((value) => isDigest(value))) }),
});
const layerType =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[.+](?:gzip|zstd))?$/;

/**
 * Makes a source of layers of an image's manifest and config. Throws ERR_SBOM_IMAGE_CONFIG if they are not those of a
 * container image or don't fit together, ERR_SBOM_LAYER_MEDIA_TYPE for layers that are no tar archives.
 */
export function toLayerSource(parts: ImageParts): LayerSource {
  const { name, tag, digest, manifest } = parts;
  const object = `${name}@${digest}`;
  const config = parseConfig(parts, object);
  const diffIds = config.rootfs.diff_ids as Digest[];
  if (diffIds.length !== manifest.layers.length) {
    throw configFault(`lists ${diffIds.length} layers, the manifest ${manifest.layers.length}`, object);
  }
  const layers = manifest.layers.map((layer, index): SourceLayer => {
    if (!layerType.test(layer.mediaType)) throw mediaTypeFault(layer, object);
    const { digest: layerDigest, size, mediaType } = layer;
    const diffId = diffIds[index] ?? layerDigest;
    const { isChecked = false } = parts;
    const open: SourceLayer['open'] = (options) => parts.open(layer, options);
    return { digest: layerDigest, size, mediaType, diffId, isChecked, open };
  });
  const { os, architecture, variant, created } = config;
  return {
    name,
    ...(tag === undefined ? {} : { tag }),
    digest,
    config: {
      digest: manifest.config.digest,
      platform: { os, architecture, ...(variant ? { variant } : {}) },
      ...(created ? { created } : {}),
      labels: config.config?.Labels ?? {},
    },
    layers,
  };
}

function parseConfig({ config, manifest }: ImageParts, object: string): z.infer<typeof configSchema> {
  if (digestOf(config) !== manifest.config.digest)
    throw configFault('does not have the digest of its descriptor', object);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(config).toString('utf8'));
  } catch (error) {
    throw configFault('is not JSON', object, error);
  }
  const parsed = configSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw configFault(
    `is none of a container image (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`,
    object,
  );
}

function configFault(what: string, object: string, cause?: unknown): AppError {
  return new AppError('ERR_SBOM_IMAGE_CONFIG', `the config of ${object} ${what}`, {
    kind: 'permanent',
    object,
    remedy: 'An SBOM is made of container images only; build and push the image again if it is one.',
    cause,
  });
}

function mediaTypeFault(layer: Descriptor, object: string): AppError {
  const type = layer.mediaType.slice(0, 100);
  return new AppError(
    'ERR_SBOM_LAYER_MEDIA_TYPE',
    `layer ${layer.digest} of ${object} is of the type "${type}"`,
    {
      kind: 'permanent',
      object,
      remedy:
        'Only plain, gzip and zstd tar layers can be read; encrypted ones and those of other artifacts cannot.',
    },
  );
}
