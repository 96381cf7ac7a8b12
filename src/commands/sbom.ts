import { Command, Option } from 'commander';
import type { ImageStore } from '../registry/image-store.ts';
import type { BomGenerator } from '../sbom/bom-generator.ts';
import type { GeneratedBom } from '../sbom/generate-bom.ts';
import { writeIndexBom } from '../sbom/index-bom.ts';
import type { LayerSource } from '../sbom/layer-source.ts';
import { readEnvironment } from '../settings/environment.ts';
import { sbomDefaults } from '../settings/sbom-defaults.ts';
import type { Settings } from '../settings/settings-schema.ts';
import type { CommandContext } from './command-context.ts';
import { formatBomTable } from './sbom/bom-table.ts';
import { parseImageAddress } from './sbom/image-address.ts';
import { openImages } from './sbom/image-sources.ts';
import type { MeantImages } from './sbom/image-sources.ts';
import { parsePlatformChoice } from './sbom/platform-choice.ts';
import { createProgressDisplay } from './sbom/progress-bar.ts';
import { bomSettingsOf, createBomGenerator } from './wiring/sbom.ts';
import type { SbomSettings } from './wiring/sbom.ts';
import { packageVersion } from './wiring/version.ts';

interface SbomFlags {
  readonly platform?: string;
  readonly output: 'cyclonedx-json' | 'table';
  readonly config?: string;
}

/** `chainwright sbom`. */
export function sbomCommand(context: CommandContext): Command {
  return new Command('sbom')
    .description('print the SBOM of an image, as the controller attests it')
    .argument('<image>', 'IMAGE, oci-layout:DIR[:REF|@DIGEST] or tar:FILE (docker save, OCI layout)')
    .option(
      '--platform <os/arch>',
      "of an image index the platform, or all; default: this machine's, or the only one",
    )
    .addOption(
      new Option('-o, --output <format>', 'how it is printed')
        .choices(['cyclonedx-json', 'table'])
        .default('cyclonedx-json'),
    )
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .addHelpText(
      'after',
      `
Layers are streamed: nothing is unpacked and no container engine is asked. Standard output is the SBOM alone. With
--platform all the SBOM is that of the index: the packages of all platforms, and the platforms themselves.
Credentials come from the docker config and its credential helpers.

Examples:
  chainwright sbom harbor.golems.internal/golem-trust/example-service:1.4.0 > bom.json
  chainwright sbom --output table --platform linux/arm64 registry.example/team/app@sha256:...
  docker save app:1.0 -o app.tar && chainwright sbom tar:app.tar
  chainwright sbom oci-layout:build/image:latest | jq -r '.components[].purl'`,
    )
    .action(async (image: string, flags: SbomFlags) => {
      await runSbom(image, flags, context);
    });
}

async function runSbom(
  image: string,
  { platform, output, config }: SbomFlags,
  { environment, signal }: CommandContext,
): Promise<void> {
  const address = parseImageAddress(image);
  const choice = parsePlatformChoice(platform);
  const readAll = async (): Promise<Settings> => {
    const { readSettings } = await import('./wiring/settings.ts');
    return (await readSettings({ configFile: config, environment })).settings;
  };
  const isSilent = config === undefined && readEnvironment(environment).names.size === 0;
  const settings = isSilent ? { sbom: sbomDefaults } : await readAll();
  await using closing = new AsyncDisposableStack();
  const generator = closing.use(createBomGenerator(settings, packageVersion()));
  // What speaks to registries takes a quarter of a second to load: not for files.
  const openRegistry = async (): Promise<ImageStore> => {
    const { openUserRegistry } = await import('./sbom/user-registry.ts');
    return openUserRegistry(closing, { settings: await readAll(), environment });
  };
  const meant = await openImages(address, { platform: choice, openRegistry, signal });
  const { bom, digest } = await makeBom(meant, generator, settings, signal);
  process.stdout.write(
    output === 'table'
      ? formatBomTable(bom, `${meant.name}@${digest}`)
      : Buffer.concat([bom.bytes, Buffer.from('\n')]),
  );
}

async function makeBom(
  { name, index, sources }: MeantImages,
  generator: BomGenerator,
  settings: SbomSettings,
  signal: AbortSignal,
): Promise<{ readonly bom: GeneratedBom; readonly digest: string }> {
  const platforms: GeneratedBom[] = [];
  for (const source of sources) platforms.push(await generate(source, generator, signal));
  if (index !== undefined) {
    const parts = { name, digest: index, platforms };
    return { bom: writeIndexBom(parts, bomSettingsOf(settings, packageVersion())), digest: index };
  }
  const [[source], [bom]] = [sources, platforms];
  if (source === undefined || bom === undefined) throw new Error('no image was chosen');
  return { bom, digest: source.digest };
}

async function generate(
  source: LayerSource,
  generator: BomGenerator,
  signal: AbortSignal,
): Promise<GeneratedBom> {
  const { os, architecture } = source.config.platform;
  const label = `${source.name.slice(source.name.lastIndexOf('/') + 1)} ${os}/${architecture}`;
  const display = await createProgressDisplay(process.stderr, label);
  try {
    return await generator.generate(source, {
      signal,
      onProgress: (progress) => {
        display.update(progress);
      },
    });
  } finally {
    display.stop();
  }
}
