import type { WitnessSource } from '../../attestation/witnessing.ts';
import { silentLog } from '../../model/log.ts';
import type { Signer, SigningKey } from '../../model/signature.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { CommandContext } from '../command-context.ts';
import { readSecrets, settingsOf } from '../local/local-flags.ts';
import type { SigningFlags } from '../local/local-flags.ts';
import { hostTrustOf } from './attestation.ts';
import { Dispatchers } from './dispatchers.ts';
import { trustedFilesOf } from './process-log.ts';
import { readSettings } from './settings.ts';
import { withRegistryFlags } from './registry-options.ts';
import { createSigner } from './signer.ts';
import type { CertificateFlags } from './signing-certificate.ts';
import { openSigningKey } from './signing-key.ts';
import { SigningServices } from './signing-services.ts';
import { CurrentTrustRoot } from './trust.ts';
import type { NamedImage } from './user-images.ts';
import { createWitnessSource } from './witnesses.ts';

/** What a person's own signing is made from. */
export interface UserSigning {
  readonly settings: Settings;
  readonly dispatchers: Dispatchers;
  readonly signer: Signer;
  readonly trust: CurrentTrustRoot;
  readonly witnesses: WitnessSource;
}

/** What is signed: evidence about images, or a file. */
export type SigningPurpose = { readonly named: NamedImage } | 'file';

/**
 * Opens what `sign`, `attest` and `sign-blob` sign with: the key of `--key` (a file or `k8s://NAMESPACE/NAME`), else an
 * identity token. Throws ERR_USAGE_*, ERR_SETTINGS_*, ERR_KEY_*, ERR_TRUST_ROOT, and what reading the key throws.
 */
export async function openUserSigning(
  flags: SigningFlags & CertificateFlags,
  purpose: SigningPurpose,
  { environment, signal, closing }: CommandContext & { readonly closing: AsyncDisposableStack },
): Promise<UserSigning> {
  const secrets = await readSecrets(flags, environment['COSIGN_PASSWORD']);
  // The key is read here, since the settings know a file or a Secret of the controller alone.
  const { key, ...others } = flags;
  const { settings: read } = await readSettings({
    configFile: flags.config,
    flags: settingsOf(others, secrets),
    environment,
  });
  const settings =
    purpose === 'file' ? read : withRegistryFlags(read, purpose.named.image, purpose.named.flags);
  const dispatchers = closing.use(
    await Dispatchers.open({ caFiles: trustedFilesOf(environment), hosts: hostTrustOf(settings) }),
  );
  const common = { settings, dispatchers, clock: systemClock, log: silentLog };
  const services = new SigningServices(common);
  const parts = { ...common, services, secrets, signal };
  const signer =
    key === undefined
      ? await createSigner(parts)
      : keptSigner(await openSigningKey(key, flags, { environment, signal, closing }));
  const trust = await CurrentTrustRoot.open(
    settings,
    key === undefined ? parts : { ...parts, isKeyless: false },
  );
  const witnesses = createWitnessSource({ ...common, services, trust });
  return { settings, dispatchers, signer, trust, witnesses };
}

function keptSigner(key: SigningKey): Signer {
  return { acquire: () => Promise.resolve(key) };
}
