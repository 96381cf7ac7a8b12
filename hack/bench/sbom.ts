/**
 * Compares our SBOM command with real syft on real images, alternating: time, CPU, memory, temporary disk, and the packages
 * found, against each other and against what the package managers themselves say. The last line is JSON; ratios are
 * ours/peer. Images are built once, out of public packages, and kept in the cache.
 *
 * Ours is the compiled release, run through bin/chainwright. Each program runs once before it is measured, so that
 * neither is charged for filling its caches (compiled code, files in memory).
 *
 *   node hack/bench/sbom.ts [--rounds 3] [--images debian,node] [--keep FOLDER]
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { main } from '../stack/process/main.ts';
import { readPackages } from './sbom/bom.ts';
import { compare } from './sbom/comparison.ts';
import type { Contender } from './sbom/contender.ts';
import { readyOurs, readySyft } from './sbom/contender.ts';
import { ensureImage } from './sbom/image-cache.ts';
import type { CachedImage } from './sbom/image-cache.ts';
import { needOf, ratioOf, reasonsOf, tableOf, totalOf } from './sbom/image-result.ts';
import type { ImageResult } from './sbom/image-result.ts';
import { findInstalled } from './sbom/installed-packages.ts';
import { measure } from './sbom/measurement.ts';
import type { Measurement } from './sbom/measurement.ts';
import { recipes } from './sbom/recipes/table.ts';
import { ensureTools } from './sbom/tools.ts';
import { UnpackedImage } from './sbom/unpacked-image.ts';

interface Plan {
  readonly rounds: number;
  readonly images: readonly string[];
  /** Folder for the BOMs, kept if the user named it. */
  readonly keep: string | undefined;
}

await main(async () => {
  const plan = readPlan();
  await ensureTools();
  const ours = await readyOurs();
  const peer = await readySyft();
  console.log(`ours: ${ours.name} ${ours.version}, compiled (dist/), run through bin/chainwright`);
  console.log(`peer: ${peer.name} ${peer.version} as it comes; ${plan.rounds} rounds, medians`);
  const folder = plan.keep ?? (await mkdtemp(join(tmpdir(), 'chainwright-bench-sbom-')));
  await mkdir(folder, { recursive: true });
  try {
    const results: ImageResult[] = [];
    await warmUp([ours, peer], plan.images[0] ?? '', folder);
    for (const name of plan.images) {
      const result = await measureImage(await ensureImage(name), { ours, peer }, { ...plan, folder });
      console.log(`${name}: CPU ${result.ours.cpuSeconds} s, ${peer.name} ${result.peer.cpuSeconds} s`);
      results.push(result);
    }
    report(results, peer);
  } finally {
    if (plan.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
});

function readPlan(): Plan {
  const known = recipes.filter(({ isBase }) => isBase !== true).map(({ name }) => name);
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      images: { type: 'string', default: known.join(',') },
      keep: { type: 'string' },
    },
  });
  const images = values.images.split(',');
  const unknown = images.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`unknown image: ${unknown.join(', ')}; there are ${known.join(', ')}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds must be a number from 1');
  return { rounds, images, keep: values.keep === undefined ? undefined : resolve(values.keep) };
}

async function warmUp(contenders: readonly Contender[], name: string, folder: string): Promise<void> {
  const { layout } = await ensureImage(name);
  for (const contender of contenders) await measure(contender.command(layout), join(folder, 'warm-up.json'));
}

async function measureImage(
  image: CachedImage,
  { ours, peer }: { readonly ours: Contender; readonly peer: Contender },
  { rounds, folder }: { readonly rounds: number; readonly folder: string },
): Promise<ImageResult> {
  const measured = { ours: [] as Measurement[], peer: [] as Measurement[] };
  const fileOf = ({ name }: Contender): string => join(folder, `${image.recipe.name}.${name}.json`);
  for (let round = 0; round < rounds; round += 1) {
    // Who goes first changes, so that neither always finds the files in memory.
    for (const contender of round % 2 === 0 ? [ours, peer] : [peer, ours]) {
      measured[contender.side].push(await measure(contender.command(image.layout), fileOf(contender)));
    }
  }
  await using unpacked = await UnpackedImage.open(image);
  const installed = await findInstalled(unpacked, image.declared);
  const { layers } = image.image;
  return {
    name: image.recipe.name,
    layers: layers.length,
    compressedMiB: layers.reduce((sum, { size }) => sum + size, 0) / 1024 ** 2,
    ours: needOf(measured.ours),
    peer: needOf(measured.peer),
    packages: compare(await readPackages(fileOf(ours)), await readPackages(fileOf(peer)), installed),
  };
}

function report(results: readonly ImageResult[], peer: Contender): void {
  console.log(`\n${tableOf(results)}\n\n${reasonsOf(results)}\n`);
  const total = {
    ours: totalOf(results.map((one) => one.ours)),
    peer: totalOf(results.map((one) => one.peer)),
  };
  const missing = (side: 'ours' | 'peer'): number =>
    results.reduce((sum, { packages }) => sum + packages.missing[side].length, 0);
  console.log(
    JSON.stringify({
      bench: 'sbom',
      ours: { ...total.ours, missingInstalled: missing('ours') },
      peer: { name: peer.name, version: peer.version, ...total.peer, missingInstalled: missing('peer') },
      ratio: ratioOf(total.ours, total.peer),
      lowestSharedShare: Math.min(...results.map(({ packages }) => packages.sharedShare)),
      images: results.map(({ packages, ...rest }) => ({
        ...rest,
        ratio: ratioOf(rest.ours, rest.peer),
        packages: {
          ...packages,
          missing: { ours: packages.missing.ours.length, peer: packages.missing.peer.length },
        },
      })),
    }),
  );
}
