import { isAppError } from '../model/errors.ts';
import { parsePinnedImage } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';

const imageScheme = /^(?:oci|docker):\/\//;
const startsWithHost = /^(?:localhost|[^/.:]*[.:][^/]*)\//;

/** `value` without a leading `oci://` or `docker://`: tools write these before plain image references. */
export function stripImageScheme(value: string): string {
  return value.replace(imageScheme, '');
}

/**
 * The place in a registry that a uri and a sha256 digest name together, if they can be read so. A package URL or a uri of
 * another scheme names none; with `hostRequired` a Docker short name neither.
 */
export function findRegistryLocation(
  uri: string,
  digest: { readonly algorithm: string; readonly hex: string },
  options: { readonly hostRequired?: boolean } = {},
): PinnedImage | undefined {
  const name = stripImageScheme(uri);
  if (digest.algorithm !== 'sha256' || name.startsWith('pkg:')) return undefined;
  if (options.hostRequired === true && !startsWithHost.test(name)) return undefined;
  try {
    return parsePinnedImage(`${name}@sha256:${digest.hex}`);
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}
