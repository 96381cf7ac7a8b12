import { builtPath, ensureBuilt } from '../../stack/build/binaries.ts';
import { componentNamed } from '../../stack/versions.ts';
import { packageVersion } from '../../../src/commands/wiring/version.ts';
import { buildRelease } from './release.ts';

/** A program that writes the BOM of an image in a layout folder to standard output. */
export interface Contender {
  readonly side: 'ours' | 'peer';
  readonly name: string;
  readonly version: string;
  command(layout: string): readonly string[];
}

/** Our command line as users run it: the compiled release. */
export async function readyOurs(): Promise<Contender> {
  const program = await buildRelease();
  return {
    side: 'ours',
    name: 'chainwright',
    version: packageVersion(),
    command: (layout) => [program, 'sbom', `oci-layout:${layout}`],
  };
}

/** Syft as it comes, built if need be. */
export async function readySyft(): Promise<Contender> {
  const component = componentNamed('syft');
  await ensureBuilt([component]);
  return {
    side: 'peer',
    name: component.name,
    version: component.version,
    command: (layout) => [
      builtPath(component),
      'scan',
      '--quiet',
      '--output',
      'cyclonedx-json',
      `oci-dir:${layout}`,
    ],
  };
}
