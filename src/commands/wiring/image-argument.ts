import { AppError } from '../../model/errors.ts';
import { parseImageReference } from '../../model/image-reference.ts';
import type { ImageReference } from '../../model/image-reference.ts';

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
