import { AppError } from '../../model/errors.ts';
import type { AcceptedEvidence, ImageJudgement } from '../../policy/judgement.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { parseBundle } from '../../statements/sigstore-bundle.ts';
import { parseSimpleSigning } from '../../statements/simple-signing.ts';
import { parseStatement } from '../../statements/statement.ts';
import { readAccepted } from './accepted-evidence.ts';

/**
 * Requires that an image signature which passed says all of these annotations (`cosign sign -a`), each with this very text.
 * Throws ERR_VERIFY_ANNOTATIONS, and what the store throws.
 */
export async function requireAnnotations(
  { image, policies }: ImageJudgement,
  wanted: Readonly<Record<string, string>>,
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const checks = policies.flatMap(({ authorities }) => authorities.flatMap((authority) => authority.checks));
  for (const accepted of checks.flatMap(({ evidence }) => evidence)) {
    const said = await readAnnotations(accepted, store, options);
    if (Object.entries(wanted).every(([name, value]) => Object.hasOwn(said, name) && said[name] === value))
      return;
  }
  const text = Object.entries(wanted).map(([name, value]) => `${name}=${value}`);
  throw new AppError('ERR_VERIFY_ANNOTATIONS', `no signature of ${image} says ${text.join(', ')}`, {
    kind: 'permanent',
    object: image,
    remedy: 'Sign the image with these annotations, or ask for the ones that its signature has.',
  });
}

async function readAnnotations(
  accepted: AcceptedEvidence,
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readAccepted(accepted, store, options);
  if (bytes === undefined) return {};
  if (accepted.layout === 'tag') return parseSimpleSigning(bytes).optional;
  const { content } = parseBundle(bytes);
  if (content.$case !== 'dsseEnvelope') return {};
  const { subject } = parseStatement(content.dsseEnvelope.payload);
  return subject[0]?.annotations ?? {};
}
