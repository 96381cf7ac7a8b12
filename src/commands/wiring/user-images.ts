import { AppError } from '../../model/errors.ts';
import { formatRepository, parseImageReference } from '../../model/image-reference.ts';
import type { ImageReference, PinnedImage } from '../../model/image-reference.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { createRegistries } from './attestation.ts';
import type { Environment } from './cluster.ts';
import type { Dispatchers } from './dispatchers.ts';
import { userCredentials } from './run-credentials.ts';

/** The registries with a person's own credentials. */
export function openUserRegistries(
  settings: Settings,
  parts: { readonly dispatchers: Dispatchers; readonly environment: Environment },
): ImageStore {
  const registries = createRegistries(settings, parts.dispatchers, systemClock);
  return registries.withCredentials(userCredentials(parts.environment));
}

/** The image that a reference means, its tag resolved to the present digest. Throws ERR_USAGE_IMAGE, ERR_POLICY_IMAGE_ABSENT, and what the store throws. */
export async function pinImage(image: string, store: ImageStore, signal: AbortSignal): Promise<PinnedImage> {
  const { repository, tag = 'latest', digest } = parseUserImage(image);
  const found = await store.headManifest(repository, digest ?? tag, { signal });
  if (found !== undefined) return { repository, digest: digest ?? found.digest };
  throw new AppError('ERR_POLICY_IMAGE_ABSENT', `there is no image ${image}`, {
    kind: 'permanent',
    object: formatRepository(repository),
    remedy: 'Push the image, or correct its name.',
  });
}

/** An image that the user named. Throws ERR_USAGE_IMAGE. */
export function parseUserImage(image: string): ImageReference {
  try {
    return parseImageReference(image);
  } catch (cause) {
    throw new AppError('ERR_USAGE_IMAGE', `"${image.slice(0, 200)}" names no image`, {
      kind: 'permanent',
      remedy: 'Write HOST/PATH:TAG or HOST/PATH@sha256:HEX.',
      cause,
    });
  }
}
