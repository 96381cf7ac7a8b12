import { Command } from 'commander';
import { planArtifacts } from '../attestation/plan-artifacts.ts';
import { parseRepository } from '../model/image-reference.ts';
import type { CommandContext } from './command-context.ts';
import type { SigningFlags } from './local/local-flags.ts';
import { attachSigned, layoutsOf, resolveImages } from './sign/attached-signing.ts';
import { formatAttached, tagWarning } from './sign/sign-output.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';
import { addSigningOptions } from './wiring/signing-options.ts';
import { openUserRegistries, pinImage } from './wiring/user-images.ts';
import { openUserSigning } from './wiring/user-signing.ts';

interface SignFlags extends SigningFlags {
  readonly recursive?: boolean;
  readonly output: OutputFormat;
}

/** `chainwright sign`. */
export function signCommand(context: CommandContext): Command {
  const command = new Command('sign')
    .description('sign an image, log the signature and attach it, as the controller does')
    .argument('<image>', 'HOST/PATH@sha256:HEX, or HOST/PATH:TAG')
    .option('-r, --recursive', 'of an image index, sign the image of each platform, too')
    .addOption(outputOption());
  return addSigningOptions(command)
    .addHelpText(
      'after',
      `
Evidence is attached in the layouts that the settings name: by default as cosign's tag and as Sigstore bundle. What the
same signer attached before is left as it is.

Examples:
  chainwright sign --identity-token $(cat /var/run/secrets/kubernetes.io/serviceaccount/token) \\
    --oidc-issuer https://kubernetes.golems.internal IMAGE@sha256:HEX
  chainwright sign --key k8s://tekton-chains/signing-secrets IMAGE@sha256:HEX`,
    )
    .action(async (image: string, flags: SignFlags) => {
      await runSign(image, flags, context);
    });
}

async function runSign(image: string, flags: SignFlags, context: CommandContext): Promise<void> {
  const { environment, signal } = context;
  await using closing = new AsyncDisposableStack();
  const signing = await openUserSigning(flags, { ...context, closing });
  const { settings, dispatchers } = signing;
  const store = openUserRegistries(settings, { dispatchers, environment });
  const pinned = await pinImage(image, store, signal);
  process.stderr.write(tagWarning(image, pinned));
  const images = await resolveImages(pinned, store, { recursive: flags.recursive === true, signal });
  const { repository } = settings.storage;
  const artifacts = planArtifacts({
    images,
    statements: [],
    signImages: true,
    layouts: layoutsOf(settings),
    evidenceRepository: repository === undefined ? undefined : parseRepository(repository),
  });
  const attached = await attachSigned(artifacts, signing, { store, signal });
  process.stdout.write(formatOutput(attached, flags.output, () => formatAttached(attached)));
}
