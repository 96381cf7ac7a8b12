import type { Signer } from '../../model/signature.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { createKeySigner } from '../../signing/key-signer.ts';
import type { TrustRoot } from '../../signing/trust-root.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { CommandContext } from '../command-context.ts';
import { readSecrets, settingsOf } from '../local/local-flags.ts';
import type { SigningFlags } from '../local/local-flags.ts';
import { hostTrustOf } from './attestation.ts';
import { Dispatchers } from './dispatchers.ts';
import { readPrivateKey } from './key-reference.ts';
import { trustedFilesOf } from './process-log.ts';
import { readSettings } from './settings.ts';
import { createSigner } from './signer.ts';
import { openTrustRoot } from './trust.ts';

/** What a person's own signing is made from. */
export interface UserSigning {
  readonly settings: Settings;
  readonly dispatchers: Dispatchers;
  readonly signer: Signer;
  readonly trustRoot: TrustRoot | undefined;
}

/**
 * Opens what `sign`, `attest` and `sign-blob` sign with: the key of `--key` (a file or `k8s://NAMESPACE/NAME`), else an
 * identity token. Throws ERR_USAGE_*, ERR_SETTINGS_*, ERR_KEY_*, ERR_TRUST_ROOT, and what reading the key throws.
 */
export async function openUserSigning(
  flags: SigningFlags,
  { environment, signal, closing }: CommandContext & { readonly closing: AsyncDisposableStack },
): Promise<UserSigning> {
  const secrets = await readSecrets(flags, environment['COSIGN_PASSWORD']);
  // The key is read here, since the settings know a file or a Secret of the controller alone.
  const { key, ...others } = flags;
  const { settings } = await readSettings({
    configFile: flags.config,
    flags: settingsOf(others, secrets),
    environment,
  });
  const dispatchers = closing.use(
    await Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) }),
  );
  const parts = { settings, dispatchers, clock: systemClock, secrets, signal };
  const signer =
    key === undefined
      ? await createSigner(parts)
      : await createKeySigner(await readPrivateKey(key, { environment, signal }));
  return { settings, dispatchers, signer, trustRoot: await openTrustRoot(settings, { signal }) };
}
