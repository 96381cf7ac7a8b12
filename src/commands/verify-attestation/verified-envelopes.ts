import { parseDigest } from '../../model/digest.ts';
import { limits } from '../../model/limits.ts';
import { parsePinnedImage } from '../../model/image-reference.ts';
import type { AcceptedEvidence, CheckResult } from '../../policy/judgement.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { isImageIndex } from '../../registry/manifest-parser.ts';
import { encodeEnvelope, parseEnvelope } from '../../statements/dsse.ts';
import { parseBundle } from '../../statements/sigstore-bundle.ts';

/**
 * The envelopes of the evidence that passed, as lines of JSON, each once. They are fetched by the digests that were
 * verified. Throws what the store throws.
 */
export async function readEnvelopes(
  checks: readonly CheckResult[],
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const accepted = new Map(checks.flatMap(({ evidence }) => evidence.map((one) => [one.ref, one] as const)));
  const lines = await Promise.all([...accepted.values()].map((one) => readEnvelope(one, store, options)));
  return [...new Set(lines.flat())];
}

async function readEnvelope(
  { layout, ref }: AcceptedEvidence,
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const { repository, digest } = parsePinnedImage(ref);
  if (layout === 'tag') {
    const blob = await store.headBlob(repository, parseDigest(digest), options);
    if (blob === undefined) return [];
    const bytes = await store.getBlob(repository, blob, { ...options, maxBytes: limits.envelopeBytes });
    return [encodeEnvelope(parseEnvelope(bytes)).toString('utf8')];
  }
  const stored = await store.getManifest(repository, digest, options);
  if (stored === undefined || isImageIndex(stored.manifest)) return [];
  const [layer] = stored.manifest.layers;
  if (layer === undefined) return [];
  const bytes = await store.getBlob(repository, layer, { ...options, maxBytes: limits.envelopeBytes });
  const { content } = parseBundle(bytes);
  return content.$case === 'dsseEnvelope' ? [encodeEnvelope(content.dsseEnvelope).toString('utf8')] : [];
}
