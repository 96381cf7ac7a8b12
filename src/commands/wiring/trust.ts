import { TrustedRoot } from '@sigstore/protobuf-specs';
import { AppError, messageOf } from '../../model/errors.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { loadTrustRoot, parseTrustRoot } from '../../signing/trust-root.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';

const publicHosts = ['fulcio.sigstore.dev', 'rekor.sigstore.dev'];

/**
 * The trust root that the settings name; without a name that of the public Sigstore instance, by TUF, if it is the one
 * that is used. `undefined` with servers of one's own and no trust root: then the log's key is pinned at first use, and no
 * evidence can be told to be ours. Throws ERR_TRUST_ROOT, ERR_TRUST_ROOT_TUF (passing).
 */
export async function openTrustRoot(
  settings: Settings,
  options: { readonly signal: AbortSignal },
): Promise<TrustRoot | undefined> {
  const { file } = settings.trustedRoot;
  if (file !== undefined) return loadTrustRoot(file, options);
  const urls = [
    settings.log.url,
    ...(settings.signer.type === 'keyless' ? [settings.signer.fulcio.url] : []),
  ];
  if (!urls.every((url) => publicHosts.includes(new URL(url).host))) return undefined;
  try {
    // Loaded only here: with a trust root of one's own its memory is spared.
    const { getTrustedRoot } = await import('@sigstore/tuf');
    const root = await getTrustedRoot({ timeout: 30_000, retry: 2 });
    return parseTrustRoot(JSON.stringify(TrustedRoot.toJSON(root)), 'the public trust root');
  } catch (error) {
    throw new AppError('ERR_TRUST_ROOT_TUF', `the public trust root cannot be fetched: ${messageOf(error)}`, {
      kind: 'passing',
      remedy: 'Allow access to the public TUF repository, or name a trusted_root.json in trustedRoot.file.',
      cause: error,
    });
  }
}
