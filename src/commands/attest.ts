import { Command } from 'commander';
import { planArtifacts } from '../attestation/plan-artifacts.ts';
import { parseRepository } from '../model/image-reference.ts';
import { systemClock } from '../telemetry/system-clock.ts';
import { kindOf, statementIn, statementOf } from './attest/attested-statement.ts';
import type { CommandContext } from './command-context.ts';
import type { SigningFlags } from './local/local-flags.ts';
import { usageFault } from './policy/usage-fault.ts';
import { attachSigned, resolveImages } from './sign/attached-signing.ts';
import { layoutsOf } from './sign/evidence-layouts.ts';
import { formatAttached, tagWarning } from './sign/sign-output.ts';
import { addCosignFlags, signingRefusals } from './wiring/cosign-options.ts';
import { readBlob } from './wiring/input-file.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';
import { addRegistryOptions } from './wiring/registry-options.ts';
import type { RegistryFlags } from './wiring/registry-options.ts';
import type { CertificateFlags } from './wiring/signing-certificate.ts';
import { addSigningOptions } from './wiring/signing-options.ts';
import { openUserRegistries, pinImage } from './wiring/user-images.ts';
import { openUserSigning } from './wiring/user-signing.ts';

interface AttestFlags extends SigningFlags, CertificateFlags, RegistryFlags {
  readonly predicate?: string;
  readonly statement?: string;
  readonly newBundleFormat?: string;
  readonly type: string;
  readonly output: OutputFormat;
}

/** `chainwright attest`. */
export function attestCommand(context: CommandContext): Command {
  const command = new Command('attest')
    .description('attest something of an image: sign a statement, log it and attach it')
    .argument('<image>', 'HOST/PATH@sha256:HEX, or HOST/PATH:TAG')
    .option('--predicate <file>', 'what is attested, JSON; - for standard input')
    .option('--statement <file>', 'a whole in-toto statement about the image instead, signed as it is')
    .option('--type <type>', 'slsaprovenance, cyclonedx, spdxjson, vuln ... or a URI', 'custom')
    .option('--new-bundle-format <bool>', 'true: as a bundle alone; false: under cosign’s tag alone')
    .addOption(outputOption());
  addCosignFlags(addRegistryOptions(addSigningOptions(command)), {
    granted: 'signing',
    only: ['rekorEntryType'],
    refused: [...signingRefusals, 'registryClient', 'tagPrefix', 'attestOutput', 'creationTime'],
  });
  return command
    .addHelpText(
      'after',
      `
What the same signer attested before, with the same content, is left as it is; a predicate of --type custom holds the time
and is new each time.

Examples:
  chainwright attest --predicate bom.json --type cyclonedx --identity-token token.jwt IMAGE@sha256:HEX
  chainwright attest --predicate scan.json --type vuln --key cosign.key IMAGE@sha256:HEX`,
    )
    .action(async (image: string, flags: AttestFlags) => {
      await runAttest(image, flags, context);
    });
}

async function runAttest(image: string, flags: AttestFlags, context: CommandContext): Promise<void> {
  const { environment, signal } = context;
  const file = requireOneFile(flags);
  const content = await readBlob(file, { signal });
  await using closing = new AsyncDisposableStack();
  const named = { image, flags };
  const signing = await openUserSigning(flags, { named }, { ...context, closing });
  const { settings, dispatchers } = signing;
  const store = openUserRegistries(settings, { dispatchers, environment, named });
  const pinned = await pinImage(image, store, signal);
  process.stderr.write(tagWarning(image, pinned));
  const images = await resolveImages(pinned, store, { recursive: false, signal });
  const statement =
    flags.statement === undefined
      ? statementOf(pinned, { type: flags.type, predicate: content, now: systemClock.now() })
      : statementIn(content, pinned);
  const { repository } = settings.storage;
  const artifacts = planArtifacts({
    images,
    statements: [{ kind: kindOf(statement), statement, images, isKeptOnRun: false }],
    signImages: false,
    layouts: layoutsOf(settings, flags),
    evidenceRepository: repository === undefined ? undefined : parseRepository(repository),
  });
  const attached = await attachSigned(artifacts, signing, { store, signal });
  process.stdout.write(formatOutput(attached, flags.output, () => formatAttached(attached)));
}

function requireOneFile({ predicate, statement }: AttestFlags): string {
  const [file, another] = [predicate, statement].filter((given) => given !== undefined);
  if (file !== undefined && another === undefined) return file;
  throw usageFault(
    'either --predicate or --statement is needed',
    'Give the one that tells what is attested.',
  );
}
