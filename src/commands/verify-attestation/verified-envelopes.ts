import { AppError } from '../../model/errors.ts';
import type { AcceptedEvidence, CheckResult } from '../../policy/judgement.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { encodeEnvelope, parseEnvelope } from '../../statements/dsse.ts';
import { parseBundle } from '../../statements/sigstore-bundle.ts';
import { readAccepted } from '../verify/accepted-evidence.ts';

/** An envelope whose signature was verified. */
export interface VerifiedEnvelope {
  /** Where it lies, `HOST/PATH@DIGEST`; one place of several. */
  readonly ref: string;
  /** The envelope as JSON without line breaks. */
  readonly line: string;
  readonly payload: Uint8Array;
}

/**
 * The envelopes of the evidence that passed, each once. They are fetched by the digests that were verified. Throws
 * ERR_VERIFY_ATTESTATION for one that has gone since, and what the store throws.
 */
export async function readEnvelopes(
  checks: readonly CheckResult[],
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<readonly VerifiedEnvelope[]> {
  const accepted = new Map(checks.flatMap(({ evidence }) => evidence.map((one) => [one.ref, one] as const)));
  const envelopes = await Promise.all([...accepted.values()].map((one) => readEnvelope(one, store, options)));
  return [...new Map(envelopes.map((envelope) => [envelope.line, envelope])).values()];
}

async function readEnvelope(
  accepted: AcceptedEvidence,
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<VerifiedEnvelope> {
  const { layout, ref } = accepted;
  const bytes = await readAccepted(accepted, store, options);
  const envelope = bytes === undefined ? undefined : envelopeIn(bytes, layout);
  if (envelope !== undefined) {
    const line = encodeEnvelope(envelope).toString('utf8');
    return { ref, line, payload: envelope.payload };
  }
  throw new AppError('ERR_VERIFY_ATTESTATION', `the attestation ${ref} went away while it was verified`, {
    kind: 'permanent',
    object: ref,
    remedy: 'Try again.',
  });
}

function envelopeIn(
  bytes: Uint8Array,
  layout: AcceptedEvidence['layout'],
): ReturnType<typeof parseEnvelope> | undefined {
  if (layout === 'tag') return parseEnvelope(bytes);
  const { content } = parseBundle(bytes);
  return content.$case === 'dsseEnvelope' ? content.dsseEnvelope : undefined;
}
