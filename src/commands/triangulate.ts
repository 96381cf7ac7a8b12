import { Command, Option } from 'commander';
import { splitDigest } from '../model/digest.ts';
import { formatRepository, parseRepository } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import type { Settings } from '../settings/settings-schema.ts';
import type { CommandContext } from './command-context.ts';
import { hostTrustOf } from './wiring/attestation.ts';
import { Dispatchers } from './wiring/dispatchers.ts';
import { trustedFilesOf } from './wiring/process-log.ts';
import { readSettings } from './wiring/settings.ts';
import { parseUserImage } from './wiring/image-argument.ts';
import { addCosignFlags } from './wiring/cosign-options.ts';
import { addRegistryOptions, withRegistryFlags } from './wiring/registry-options.ts';
import type { RegistryFlags } from './wiring/registry-options.ts';
import { openUserRegistries, pinImage } from './wiring/user-images.ts';
import type { NamedImage } from './wiring/user-images.ts';

interface TriangulateFlags extends RegistryFlags {
  readonly type: 'signature' | 'attestation' | 'sbom' | 'digest';
  readonly config?: string;
}

const suffixes = { signature: 'sig', attestation: 'att', sbom: 'sbom' } as const;

/** `chainwright triangulate`. */
export function triangulateCommand(context: CommandContext): Command {
  const command = new Command('triangulate')
    .description('print the tag under which an image’s evidence lies, as cosign triangulate does')
    .argument('<image>', 'HOST/PATH:TAG or HOST/PATH@sha256:HEX; a tag is looked up in the registry')
    .addOption(
      new Option('--type <kind>', 'what is looked for')
        .choices(['signature', 'attestation', 'sbom', 'digest'])
        .default('signature'),
    )
    .option('--config <file>', 'file with a ChainwrightConfig object');
  addCosignFlags(addRegistryOptions(command), { refused: ['registryClient', 'tagPrefix'] });
  return command
    .addHelpText(
      'after',
      `
What it prints is a tag, and no digest: to find an image's log entries use "chainwright log search IMAGE".

Examples:
  chainwright triangulate harbor.golems.internal/golem-trust/example-service:1.4.0
  chainwright triangulate --type attestation IMAGE`,
    )
    .action(async (image: string, flags: TriangulateFlags) => {
      const read = await readSettings({ configFile: flags.config, environment: context.environment });
      const settings = withRegistryFlags(read.settings, image, flags);
      const { repository, digest } = await findImage({ image, flags }, settings, context);
      if (flags.type === 'digest') {
        process.stdout.write(`${formatRepository(repository)}@${digest}\n`);
        return;
      }
      const { algorithm, hex } = splitDigest(digest);
      const { repository: gathered } = settings.storage;
      const place = formatRepository(gathered === undefined ? repository : parseRepository(gathered));
      process.stdout.write(`${place}:${algorithm}-${hex}.${suffixes[flags.type]}\n`);
    });
}

/** With a digest nobody has to be asked. */
async function findImage(
  named: NamedImage,
  settings: Settings,
  { environment, signal }: CommandContext,
): Promise<PinnedImage> {
  const { image } = named;
  const { repository, digest } = parseUserImage(image);
  if (digest !== undefined) return { repository, digest };
  await using dispatchers = await Dispatchers.open({
    caFiles: trustedFilesOf(environment),
    hosts: hostTrustOf(settings),
  });
  return await pinImage(image, openUserRegistries(settings, { dispatchers, environment, named }), signal);
}
