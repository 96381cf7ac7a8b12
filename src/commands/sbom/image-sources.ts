import { openLayerSource } from '../../attestation/sbom-statements.ts';
import type { Digest } from '../../model/digest.ts';
import { AppError } from '../../model/errors.ts';
import { formatImageReference, formatRepository } from '../../model/image-reference.ts';
import type { ImageReference, Repository } from '../../model/image-reference.ts';
import { isImageIndex } from '../../registry/manifest-parser.ts';
import type { ImageStore, StoredManifest } from '../../registry/image-store.ts';
import { openLayoutStore } from '../../registry/oci-layout-store.ts';
import { listPlatformManifests } from '../../registry/platform-manifests.ts';
import { openImageArchive } from '../../sbom/image-archive.ts';
import type { LayerSource } from '../../sbom/layer-source.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { ImageAddress } from './image-address.ts';
import { findLayoutImage } from './layout-image.ts';
import { choosePlatforms, localPlatform, platformFault } from './platform-choice.ts';
import type { PlatformChoice } from './platform-choice.ts';
import { openTarFile } from './tar-file.ts';

/** The images that an address and a choice of platforms mean. */
export interface MeantImages {
  /** Repository without tag, or a label. */
  readonly name: string;
  /** The image index, if all of its platforms are meant. */
  readonly index?: Digest;
  /** One, or all platforms of the index in its order. */
  readonly sources: readonly LayerSource[];
}

/** How images are opened. */
export interface OpenOptions {
  readonly platform: PlatformChoice;
  /** The registries, with this user's credentials; not called for images in files. */
  openRegistry(): Promise<ImageStore>;
  readonly signal: AbortSignal;
}

/**
 * Opens what a person named; layers are read later. Throws ERR_USAGE_LAYOUT, ERR_USAGE_PLATFORM, ERR_USAGE_FILE,
 * ERR_SBOM_ARCHIVE, ERR_SBOM_IMAGE_ABSENT, and what the store throws.
 */
export async function openImages(address: ImageAddress, options: OpenOptions): Promise<MeantImages> {
  switch (address.kind) {
    case 'registry': {
      const { repository, tag, digest } = address.reference;
      const place = { repository, name: formatRepository(repository), store: await options.openRegistry() };
      return openStored(place, digest ?? tag ?? 'latest', options);
    }
    case 'oci-layout': {
      const { digest, name } = await findLayoutImage(address.folder, address, options);
      const store = await openLayoutStore(address.folder, systemClock);
      return openStored({ repository: { registry: '', path: '' }, name, store }, digest, options);
    }
    case 'tar':
      return openTar(address.file, options);
  }
}

async function openTar(file: string, { platform, signal }: OpenOptions): Promise<MeantImages> {
  if (platform === 'all') {
    throw platformFault('of a tar file only one platform is read at a time', 'Name it: --platform OS/ARCH.');
  }
  const chosen = platform === undefined ? { preferred: localPlatform() } : { platform };
  const source = await openImageArchive(await openTarFile(file), { signal, ...chosen });
  return { name: source.name, sources: [source] };
}

interface Place {
  readonly repository: Repository;
  readonly name: string;
  readonly store: ImageStore;
}

async function openStored(
  { repository, name, store }: Place,
  reference: string,
  { platform, signal }: OpenOptions,
): Promise<MeantImages> {
  const stored = await store.getManifest(repository, reference, { signal });
  if (stored === undefined) throw absent(repository, name, reference);
  const { digest } = stored.descriptor;
  const isAll = platform === 'all' && isImageIndex(stored.manifest);
  const sources: LayerSource[] = [];
  for (const image of digestsOf(stored, platform, `${name}@${digest}`)) {
    const meant = isImageIndex(stored.manifest) ? {} : { manifest: stored.manifest };
    const source = await openLayerSource({ repository, digest: image, ...meant }, store, { signal });
    sources.push({ ...source, name });
  }
  return { name, ...(isAll ? { index: digest } : {}), sources };
}

function digestsOf(stored: StoredManifest, platform: PlatformChoice, object: string): readonly Digest[] {
  if (!isImageIndex(stored.manifest)) return [stored.descriptor.digest];
  return choosePlatforms(listPlatformManifests(stored), platform, object).map(({ digest }) => digest);
}

function absent(repository: Repository, name: string, reference: string): AppError {
  const isDigest = reference.includes(':');
  const parts = { repository, ...(isDigest ? { digest: reference } : { tag: reference }) } as ImageReference;
  const object = repository.path === '' ? `${name}@${reference}` : formatImageReference(parts);
  return new AppError('ERR_SBOM_IMAGE_ABSENT', `there is no image ${object}`, {
    kind: 'permanent',
    object,
    remedy: 'Check name, tag and digest, and that your credentials may pull it.',
  });
}
