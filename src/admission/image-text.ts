import { isAppError } from '../model/errors.ts';
import { parseImageReference } from '../model/image-reference.ts';
import type { ImageReference } from '../model/image-reference.ts';

/** The reference that a field of an object names; undefined if it names none. */
export function readImageText(text: string): ImageReference | undefined {
  try {
    return parseImageReference(text);
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}
