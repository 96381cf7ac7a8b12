import type { AcceptedEvidence, CheckResult } from '../../policy/judgement.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { encodeEnvelope, parseEnvelope } from '../../statements/dsse.ts';
import { parseBundle } from '../../statements/sigstore-bundle.ts';
import { readAccepted } from '../verify/accepted-evidence.ts';

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
  accepted: AcceptedEvidence,
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const bytes = await readAccepted(accepted, store, options);
  if (bytes === undefined) return [];
  if (accepted.layout === 'tag') return [encodeEnvelope(parseEnvelope(bytes)).toString('utf8')];
  const { content } = parseBundle(bytes);
  return content.$case === 'dsseEnvelope' ? [encodeEnvelope(content.dsseEnvelope).toString('utf8')] : [];
}
