import { limits } from '../model/limits.ts';
import { isImageIndex } from './manifest-parser.ts';
import { tooLarge } from './registry-faults.ts';
import type { Descriptor } from '../model/oci.ts';
import type { StoredManifest } from './image-store.ts';

const buildKitReferenceType = 'vnd.docker.reference.type';

/**
 * The manifests that an image index lists, each digest once and in its order; none for an image. BuildKit's attestation
 * manifests (platform `unknown/unknown`) are no images and are left out. Throws ERR_REGISTRY_TOO_LARGE for an index of
 * more than `limits.indexManifests`.
 */
export function listPlatformManifests({ manifest, descriptor }: StoredManifest): readonly Descriptor[] {
  if (!isImageIndex(manifest)) return [];
  if (manifest.manifests.length > limits.indexManifests) {
    throw tooLarge(`the image index ${descriptor.digest}`, limits.indexManifests, 'manifests');
  }
  const listed = new Map(manifest.manifests.map((entry) => [entry.digest, entry]));
  return [...listed.values()].filter((entry) => !isBuildKitAttestation(entry));
}

/** True for the entries in which BuildKit keeps provenance and SBOMs of its own. */
function isBuildKitAttestation({ platform, annotations }: Descriptor): boolean {
  const isUnknown = platform?.os === 'unknown' && platform.architecture === 'unknown';
  return isUnknown || annotations?.[buildKitReferenceType] === 'attestation-manifest';
}
