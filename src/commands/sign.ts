import { Command } from 'commander';
import { planArtifacts } from '../attestation/plan-artifacts.ts';
import { parseRepository } from '../model/image-reference.ts';
import type { CommandContext } from './command-context.ts';
import type { SigningFlags } from './local/local-flags.ts';
import { addAnnotations } from './sign/annotation-flags.ts';
import type { Annotations } from './sign/annotation-flags.ts';
import { attachSigned, resolveImages } from './sign/attached-signing.ts';
import { layoutsOf, loggableLayouts } from './sign/evidence-layouts.ts';
import { formatAttached, tagWarning } from './sign/sign-output.ts';
import { addCosignFlags, signingRefusals } from './wiring/cosign-options.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';
import { addRegistryOptions } from './wiring/registry-options.ts';
import type { RegistryFlags } from './wiring/registry-options.ts';
import type { CertificateFlags } from './wiring/signing-certificate.ts';
import { addSigningOptions } from './wiring/signing-options.ts';
import { openUserRegistries, pinImage } from './wiring/user-images.ts';
import { openUserSigning } from './wiring/user-signing.ts';

interface SignFlags extends SigningFlags, CertificateFlags, RegistryFlags {
  readonly annotations?: Annotations;
  readonly newBundleFormat?: string;
  readonly recursive?: boolean;
  readonly output: OutputFormat;
}

const bundleAlone =
  'WARNING: a log cannot be told of a signature of Ed25519 under cosign’s tag; a bundle alone is attached\n';

/** `chainwright sign`. */
export function signCommand(context: CommandContext): Command {
  const command = new Command('sign')
    .description('sign an image, log the signature and attach it, as the controller does')
    .argument('<image>', 'HOST/PATH@sha256:HEX, or HOST/PATH:TAG')
    .option('-r, --recursive', 'of an image index, sign the image of each platform, too')
    .option(
      '-a, --annotations <name=value>',
      'say so in the signature; may be given more than once',
      addAnnotations,
    )
    .option('--new-bundle-format <bool>', 'true: as a bundle alone; false: under cosign’s tag alone')
    .addOption(outputOption());
  addCosignFlags(addRegistryOptions(addSigningOptions(command)), {
    granted: 'signing',
    only: ['upload'],
    refused: [
      ...signingRefusals,
      'registryClient',
      'tagPrefix',
      'referrersMode',
      'outputs',
      'foreignPayload',
      'creationTime',
    ],
  });
  return command
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
  const named = { image, flags };
  const signing = await openUserSigning(flags, { named }, { ...context, closing });
  const { settings, dispatchers } = signing;
  const store = openUserRegistries(settings, { dispatchers, environment, named });
  const pinned = await pinImage(image, store, signal);
  process.stderr.write(tagWarning(image, pinned));
  const images = await resolveImages(pinned, store, { recursive: flags.recursive === true, signal });
  const { repository } = settings.storage;
  const layouts = layoutsOf(settings, flags);
  const loggable = settings.log.enabled
    ? loggableLayouts(layouts, await signing.signer.acquire({ signal }))
    : layouts;
  if (loggable.length < layouts.length) process.stderr.write(bundleAlone);
  const artifacts = planArtifacts({
    images,
    statements: [],
    signImages: true,
    layouts: loggable,
    ...(flags.annotations === undefined ? {} : { annotations: flags.annotations }),
    evidenceRepository: repository === undefined ? undefined : parseRepository(repository),
  });
  const attached = await attachSigned(artifacts, signing, { store, signal });
  process.stdout.write(formatOutput(attached, flags.output, () => formatAttached(attached)));
}
