import { AppError } from '../../model/errors.ts';
import { formatRepository } from '../../model/image-reference.ts';
import type { PinnedImage } from '../../model/image-reference.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { createRegistries } from './attestation.ts';
import type { Environment } from './cluster.ts';
import type { Dispatchers } from './dispatchers.ts';
import { parseUserImage } from './image-argument.ts';
import { withRegistryLogin } from './registry-options.ts';
import type { RegistryFlags } from './registry-options.ts';
import { userCredentials } from './run-credentials.ts';

/** An image on the command line, with the flags that say how its registry is reached. */
export interface NamedImage {
  readonly image: string;
  readonly flags: RegistryFlags;
}

/** The registries with a person's own credentials. Throws ERR_USAGE_FLAGS, ERR_USAGE_IMAGE. */
export function openUserRegistries(
  settings: Settings,
  parts: {
    readonly dispatchers: Dispatchers;
    readonly environment: Environment;
    readonly named?: NamedImage;
  },
): ImageStore {
  const { dispatchers, environment, named } = parts;
  const registries = createRegistries(settings, dispatchers, systemClock);
  const credentials = userCredentials(environment);
  return registries.withCredentials(
    named === undefined ? credentials : withRegistryLogin(credentials, named.image, named.flags),
  );
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
