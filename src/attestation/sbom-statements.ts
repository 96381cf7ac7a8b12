import { AppError, isAppError } from '../model/errors.ts';
import { splitDigest } from '../model/digest.ts';
import { formatRepository } from '../model/image-reference.ts';
import { limits } from '../model/limits.ts';
import { isIndexMediaType } from '../model/oci.ts';
import type { ImageManifest } from '../model/oci.ts';
import { isImageIndex } from '../registry/manifest-parser.ts';
import type { ImageStore } from '../registry/image-store.ts';
import type { BomMaker } from '../sbom/bom-generator.ts';
import { toLayerSource } from '../sbom/image-source.ts';
import type { LayerSource } from '../sbom/layer-source.ts';
import { buildCycloneDxStatement } from '../statements/cyclonedx-statement.ts';
import type { TextStatement } from '../statements/statement.ts';
import type { StatementSource } from './plan-build.ts';
import type { ResolvedImage } from './resolve-subjects.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/**
 * SBOM attestations: one for each image, and for an image index one for each platform manifest, which is attached to that
 * manifest and to the index, since verifiers look at either. An image that cannot be catalogued is a fault; the others are
 * unaffected.
 */
export function createSbomSource(generator: BomMaker): StatementSource {
  return {
    makeStatements: async (images, store, options) => {
      const single = images.filter(({ descriptor }) => !isIndexMediaType(descriptor.mediaType));
      const outcomes = await Promise.all(
        single.map(async (image) => {
          try {
            const targets = image.index === undefined ? [image] : [image, image.index];
            const source = await openLayerSource(image, store, options);
            const { bytes } = await generator.generate(source, options);
            const statement = statementAbout(targets, bytes);
            return { kind: 'sbom' as const, statement, images: targets, isKeptOnRun: false };
          } catch (error) {
            if (isAppError(error)) return error;
            throw error;
          }
        }),
      );
      return {
        statements: outcomes.filter((outcome) => !(outcome instanceof AppError)),
        faults: outcomes.filter((outcome) => outcome instanceof AppError),
      };
    },
  };
}

function statementAbout(targets: readonly ResolvedImage[], bom: Uint8Array): TextStatement {
  const subjects = targets.map(({ repository, digest }) => ({
    name: formatRepository(repository),
    digest: { sha256: splitDigest(digest).hex },
  }));
  return buildCycloneDxStatement(subjects, bom);
}

/** The layers of an image in a store. Throws ERR_SUBJECT_ABSENT, ERR_SBOM_IMAGE_CONFIG, and what the store throws. */
export async function openLayerSource(
  image: Pick<ResolvedImage, 'repository' | 'digest' | 'manifest'>,
  store: ImageStore,
  options: CallOptions,
): Promise<LayerSource> {
  const { repository, digest } = image;
  const name = formatRepository(repository);
  const manifest = image.manifest ?? (await readManifest(image, store, options));
  const config = await store.getBlob(repository, manifest.config, {
    ...options,
    maxBytes: limits.manifestBytes,
  });
  return toLayerSource({
    name,
    digest,
    manifest,
    config,
    // A store's streams check size and digest.
    isChecked: true,
    open: (layer, call) => store.openBlob(repository, layer, call),
  });
}

async function readManifest(
  { repository, digest }: Pick<ResolvedImage, 'repository' | 'digest'>,
  store: ImageStore,
  options: CallOptions,
): Promise<ImageManifest> {
  const name = formatRepository(repository);
  const stored = await store.getManifest(repository, digest, options);
  if (stored === undefined) {
    throw new AppError('ERR_SUBJECT_ABSENT', `the registry does not hold ${name}@${digest}`, {
      kind: 'permanent',
      object: `${name}@${digest}`,
      remedy: 'Push every platform manifest that the image index lists.',
    });
  }
  if (isImageIndex(stored.manifest)) {
    throw new AppError('ERR_SBOM_IMAGE_CONFIG', `${name}@${digest} is an image index inside an index`, {
      kind: 'permanent',
      object: `${name}@${digest}`,
      remedy: 'List the platform manifests themselves in the image index.',
    });
  }
  return stored.manifest;
}
