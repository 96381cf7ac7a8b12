/**
 * Builds the image without Docker, as an OCI layout folder: Debian's C libraries and certificate authorities, the Node of
 * node_modules, the production packages, our compiled program. The same sources make the same bytes.
 *
 *   node hack/image/build.ts [--output FOLDER] [--push HOST/PATH[:TAG]]
 *
 * SOURCE_DATE_EPOCH sets the time of all files; without it that of the last commit. `--push` sends it with crane and the
 * credentials of the Docker configuration, and prints what to write into config/components/image.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { builtPath, ensureBuilt } from '../stack/build/binaries.ts';
import { checkout } from '../stack/paths.ts';
import { run } from '../stack/process/run.ts';
import { componentNamed } from '../stack/versions.ts';
import { imageLayers } from './contents.ts';
import { packLayer } from './layer-archive.ts';
import type { PackedLayer } from './layer-archive.ts';
import { writeLayout } from './oci-layout.ts';
import type { ImageFacts } from './oci-layout.ts';

const { values } = parseArgs({
  options: { output: { type: 'string', default: join(checkout, '.image') }, push: { type: 'string' } },
});
const facts = await readFacts();
const layers: PackedLayer[] = [];
for (const layer of await imageLayers(checkout)) layers.push(await packLayer(layer, facts.created));
const digest = await writeLayout(values.output, layers, facts);
report(layers);
console.log(`${values.output}: chainwright ${facts.version}, ${digest}`);
if (values.push !== undefined) await push(values.push);

async function readFacts(): Promise<ImageFacts> {
  const { version } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as {
    version: string;
  };
  const git = (...args: string[]): Promise<string | undefined> =>
    run('git', args, { cwd: checkout }).then(
      (text) => text.trim(),
      () => undefined,
    );
  const seconds = process.env['SOURCE_DATE_EPOCH'] ?? (await git('log', '-1', '--format=%ct')) ?? '0';
  return { version, created: new Date(Number(seconds) * 1000), revision: await git('rev-parse', 'HEAD') };
}

function report(packed: readonly PackedLayer[]): void {
  const mebibytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`.padStart(10);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const row = (name: string, compressed: number, unpacked: number): void => {
    console.log(`${name.padEnd(14)}${mebibytes(compressed)} packed ${mebibytes(unpacked)} unpacked`);
  };
  for (const { name, bytes, unpackedSize } of packed) row(name, bytes.length, unpackedSize);
  row('in all', sum(packed.map(({ bytes }) => bytes.length)), sum(packed.map((layer) => layer.unpackedSize)));
}

async function push(reference: string): Promise<void> {
  const crane = componentNamed('crane');
  await ensureBuilt([crane]);
  const pushed = (await run(builtPath(crane), ['push', values.output, reference])).trim();
  const name = pushed.slice(0, pushed.indexOf('@'));
  console.log(`pushed ${pushed}. In config/components/image/kustomization.yaml:

images:
  - name: chainwright
    newName: ${name}
    digest: ${digest}`);
}
