import { AppError } from '../../model/errors.ts';
import type { SigningKey } from '../../model/signature.ts';
import type { EvidenceLayout } from '../../model/signing-record.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { publicKeyOf } from '../../signing/public-key-of.ts';
import { parseBoolean } from '../local/local-flags.ts';

/**
 * The layouts that evidence is attached in: those of the settings, or the one that `--new-bundle-format` asks for. Throws
 * ERR_USAGE_BOOLEAN.
 */
export function layoutsOf(
  { storage: { layouts } }: Settings,
  { newBundleFormat }: { readonly newBundleFormat?: string } = {},
): readonly EvidenceLayout[] {
  if (newBundleFormat !== undefined) return [parseBoolean(newBundleFormat) ? 'referrer' : 'tag'];
  return [...(layouts.tags ? (['tag'] as const) : []), ...(layouts.referrers ? (['referrer'] as const) : [])];
}

/**
 * The layouts in which an image signature of this key can have a log entry. A log is told of the digest of what lies under
 * cosign's tag, and plain Ed25519 signs the bytes themselves; the envelope in a bundle is logged with either. Throws
 * ERR_SIGN_LOG if none is left.
 */
export function loggableLayouts(
  layouts: readonly EvidenceLayout[],
  { material }: Pick<SigningKey, 'material'>,
): readonly EvidenceLayout[] {
  if (publicKeyOf(material).asymmetricKeyType !== 'ed25519') return layouts;
  const left = layouts.filter((layout) => layout !== 'tag');
  if (left.length > 0) return left;
  throw new AppError('ERR_SIGN_LOG', 'a log cannot be told of a signature of Ed25519 under cosign’s tag', {
    kind: 'permanent',
    remedy: 'Attach a bundle, sign with --tlog-upload=false, or use an ECDSA or RSA key.',
  });
}
