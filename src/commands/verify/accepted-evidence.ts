import { parseDigest } from '../../model/digest.ts';
import { parsePinnedImage } from '../../model/image-reference.ts';
import { limits } from '../../model/limits.ts';
import type { AcceptedEvidence } from '../../policy/judgement.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { isImageIndex } from '../../registry/manifest-parser.ts';

/**
 * The bytes of evidence that passed, fetched by the digest that was verified: a layer of cosign's tag, or a bundle; undefined
 * if it has gone since. Throws what the store throws.
 */
export async function readAccepted(
  { layout, ref }: Pick<AcceptedEvidence, 'layout' | 'ref'>,
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<Uint8Array | undefined> {
  const { repository, digest } = parsePinnedImage(ref);
  const bounded = { ...options, maxBytes: limits.envelopeBytes };
  if (layout === 'tag') {
    const blob = await store.headBlob(repository, parseDigest(digest), options);
    return blob === undefined ? undefined : await store.getBlob(repository, blob, bounded);
  }
  const stored = await store.getManifest(repository, digest, options);
  if (stored === undefined || isImageIndex(stored.manifest)) return undefined;
  const [layer] = stored.manifest.layers;
  return layer === undefined ? undefined : await store.getBlob(repository, layer, bounded);
}
