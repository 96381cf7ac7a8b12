import { createPublicKey } from 'node:crypto';
import { Command } from 'commander';
import { verifyLayout } from '../../policy/layout/layout-verification.ts';
import type { LayoutSource, VerifiedLayout } from '../../policy/layout/layout-verification.ts';
import { requireSigned } from '../../policy/layout/step-reports.ts';
import type { CertificateTrust, FoundEvidence } from '../../policy/layout/step-reports.ts';
import { exactly } from '../../signing/certificate-identity.ts';
import { metadataKeyOf, readMetadataKey } from '../../signing/metadata-key.ts';
import { loadTrustRoot, parseTrustRoot } from '../../signing/trust-root.ts';
import { readLink } from '../../statements/link.ts';
import type { Link } from '../../statements/link.ts';
import { parseSignedMetadata, readObject } from '../../statements/signed-metadata.ts';
import type { JsonObject } from '../../statements/strict-json.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { CommandContext } from '../command-context.ts';
import { openImageStore } from '../policy/judging-session.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { verifyFile } from '../verify-blob/file-verification.ts';
import type { FileEvidenceFlags } from '../verify-blob/file-verification.ts';
import { addSignerOptions } from '../verify/signer-flags.ts';
import { readBlob } from '../wiring/input-file.ts';
import { readPublicKeyPem } from '../wiring/key-reference.ts';
import { formatOutput, outputOption } from '../wiring/output-format.ts';
import type { OutputFormat } from '../wiring/output-format.ts';
import { addRegistryOptions, withRegistryFlags } from '../wiring/registry-options.ts';
import type { RegistryFlags } from '../wiring/registry-options.ts';
import { readSettings } from '../wiring/settings.ts';
import { openTrustRoot } from '../wiring/trust.ts';
import { pinImage } from '../wiring/user-images.ts';
import { evidenceInFile, evidenceOfImage, readLinkFile } from './layout-evidence.ts';
import { formatLayout, toPrinted } from './layout-text.ts';
import { addNamedValue, addValue } from './named-values.ts';
import type { NamedValue } from './named-values.ts';

interface VerifyLayoutFlags extends FileEvidenceFlags, RegistryFlags {
  readonly layoutKey?: readonly string[];
  readonly links: string;
  readonly attestation?: readonly NamedValue[];
  readonly image?: readonly NamedValue[];
  readonly inspected?: readonly NamedValue[];
  readonly functionaryIssuer?: string;
  readonly output: OutputFormat;
}

const emptyTrustRoot = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}';

/** `chainwright layout verify`. */
export function verifyLayoutCommand(context: CommandContext): Command {
  const command = new Command('verify')
    .description('verify that a supply chain was carried out as its in-toto layout says')
    .argument('<layout>', 'the layout, with its signatures or beside them')
    .option(
      '--layout-key <file|k8s://NS/NAME|KMS>',
      'public key of an owner, whose signature the layout must bring; may be given more than once',
      addValue,
    )
    .option('--signature <file|base64>', 'signature of the file by --key instead, as sign-blob writes it')
    .option('--bundle <file>', 'bundle of the file instead, by --key or --certificate-*')
    .option('--links <dir>', 'folder with the link metadata: STEP.KEYID.link', '.')
    .option(
      '--attestation <step=file>',
      'attestation of a step: Sigstore bundle or DSSE envelope',
      addNamedValue,
    )
    .option(
      '--image <step=image>',
      'image that a step built: the attestations beside it count',
      addNamedValue,
    )
    .option('--inspected <name=file>', 'link of an inspection that you ran yourself', addNamedValue)
    .option(
      '--functionary-issuer <url>',
      'whose word it is who a functionary is that the layout names by a certificate’s URI or e-mail address',
    )
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .addOption(outputOption());
  return addRegistryOptions(addSignerOptions(command))
    .addHelpText(
      'after',
      `
No command of a layout is ever run, whoever signed it: a layout with inspections is refused unless what each of them
found is given by --inspected. Exit code 1 if the supply chain does not hold; the error's code names what is wrong.

Examples:
  chainwright layout verify --layout-key owner.pub --links links golemtrust.layout
  chainwright layout verify --key k8s://tekton-chains/signing-secrets --signature layout.json.sig \\
    --image build=harbor.golems.internal/golem-trust/example-service@sha256:HEX golemtrust-layout.json`,
    )
    .action(async (file: string, flags: VerifyLayoutFlags) => {
      await runVerify(file, flags, context);
    });
}

async function runVerify(file: string, flags: VerifyLayoutFlags, context: CommandContext): Promise<void> {
  const signed = await readSigned(file, flags, context);
  const certificates = await certificatesOf(flags, context);
  const verified = await verifyLayout(signed, file, {
    source: await openSource(flags, context),
    at: systemClock.now(),
    ...(certificates === undefined ? {} : { certificates }),
    unwitnessed: {
      trustRoot: parseTrustRoot(emptyTrustRoot),
      witness: 'unsafe-none',
      requireSct: false,
      at: systemClock.now(),
    },
  });
  report(verified, flags.output);
}

function report(verified: VerifiedLayout, output: OutputFormat): void {
  for (const warning of verified.warnings) process.stderr.write(`WARNING: ${warning}\n`);
  const printed = toPrinted(verified);
  process.stdout.write(formatOutput(printed, output, () => formatLayout(printed)));
}

/** The layout, once its owners' signatures were verified. */
async function readSigned(
  file: string,
  flags: VerifyLayoutFlags,
  context: CommandContext,
): Promise<JsonObject> {
  const { layoutKey = [], signature, bundle } = flags;
  const isDetached = signature !== undefined || bundle !== undefined;
  if (isDetached === layoutKey.length > 0) {
    throw usageFault(
      'nothing tells who the owner of the layout is',
      'Give --layout-key, or --signature or --bundle with --key or --certificate-*.',
    );
  }
  if (isDetached) {
    const { blob } = await verifyFile(file, flags, context);
    const json = readObject(blob, file);
    return json['_type'] === 'layout' ? json : parseSignedMetadata(blob, file).signed;
  }
  const metadata = parseSignedMetadata(await readBlob(file, context), file);
  for (const reference of layoutKey) {
    const pem = await readPublicKeyPem(reference, context);
    const { keyid, key } = metadataKeyOf(parseKey(pem, reference));
    requireSigned(metadata, readMetadataKey(key, keyid), file);
  }
  return metadata.signed;
}

function parseKey(pem: string, reference: string): ReturnType<typeof createPublicKey> {
  if (!/-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(pem)) throw noKey(reference);
  try {
    return createPublicKey(pem);
  } catch {
    throw noKey(reference);
  }
}

function noKey(reference: string): Error {
  return usageFault(`${reference.slice(0, 200)} is no public key`, 'Give the owner’s public key in PEM.');
}

async function certificatesOf(
  { functionaryIssuer, trustedRoot, config, insecureIgnoreSct }: VerifyLayoutFlags,
  { environment, signal }: CommandContext,
): Promise<CertificateTrust | undefined> {
  if (functionaryIssuer === undefined) return undefined;
  const { settings } = await readSettings({ configFile: config, environment });
  const trustRoot =
    trustedRoot === undefined
      ? await openTrustRoot(settings, { signal })
      : await loadTrustRoot(trustedRoot, { signal });
  if (trustRoot === undefined) {
    throw usageFault('there is no trust root', 'Give --trusted-root, or trustedRoot.file in --config.');
  }
  const demands = {
    trustRoot,
    witness: 'log',
    requireSct: insecureIgnoreSct !== true,
    at: systemClock.now(),
  } as const;
  return { issuer: exactly(functionaryIssuer), demands };
}

async function openSource(flags: VerifyLayoutFlags, context: CommandContext): Promise<LayoutSource> {
  const { attestation = [], image = [], inspected = [], links } = flags;
  const found = new Map<string, FoundEvidence[]>();
  const add = (step: string, evidence: readonly FoundEvidence[]): void => {
    found.set(step, [...(found.get(step) ?? []), ...evidence]);
  };
  for (const { name, value } of attestation)
    add(name, [evidenceInFile(await readBlob(value, context), value)]);
  for (const { name, value } of image) add(name, await imageEvidence(value, flags, context));
  return {
    link: (folder, step, keyid) => readLinkFile(links, folder, { step, keyid }),
    attestations: (step) => found.get(step) ?? [],
    inspected: await readInspected(inspected, context),
  };
}

async function imageEvidence(
  image: string,
  flags: VerifyLayoutFlags,
  { environment, signal }: CommandContext,
): Promise<readonly FoundEvidence[]> {
  const { settings: read } = await readSettings({ configFile: flags.config, environment });
  const settings = withRegistryFlags(read, image, flags);
  await using closing = new AsyncDisposableStack();
  const store = await openImageStore({ settings, environment, named: { image, flags }, closing });
  return await evidenceOfImage(await pinImage(image, store, signal), store, { signal });
}

/** Made by the user on this machine, so that no signature is asked for. */
async function readInspected(
  given: readonly NamedValue[],
  context: CommandContext,
): Promise<ReadonlyMap<string, Link>> {
  const links = new Map<string, Link>();
  for (const { name, value } of given) {
    const json = readObject(await readBlob(value, context), value);
    const signed =
      json['_type'] === 'link' ? json : parseSignedMetadata(await readBlob(value, context), value).signed;
    links.set(name, readLink(signed, name, value));
  }
  return links;
}
