import { LRUCache } from 'lru-cache';
import { isAppError } from '../model/errors.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import type { ImageStore } from '../registry/image-store.ts';

const maxEntries = 4096;

/** Media types of images by digest: they never change, so that a denial that is remembered asks nobody for them. */
export class MediaTypes {
  readonly #known = new LRUCache<string, string>({ max: maxEntries });

  /** The media type; undefined if the registry does not tell, since nothing but a hint in a message hangs on it. */
  async find(
    { repository, digest }: PinnedImage,
    store: ImageStore,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const key = `${formatRepository(repository)}@${digest}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known === '' ? undefined : known;
    try {
      const found = await store.headManifest(repository, digest, { signal });
      this.#known.set(key, found?.mediaType ?? '');
      return found?.mediaType;
    } catch (error) {
      if (isAppError(error)) return undefined;
      throw error;
    }
  }
}
