/**
 * Lets independent judges score our BOMs and syft's of the same images: cdx-validate (SCVS and CRA scorecards, schema) and
 * sbomaudit (NTIA minimum elements). The last line is JSON.
 *
 *   node hack/bench/sbom-judges.ts [--only debian,node]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { main } from '../stack/process/main.ts';
import { readySyft } from './sbom/contender.ts';
import { ensureImage } from './sbom/image-cache.ts';
import { ensureJudges, judge } from './sbom/judges.ts';
import type { Verdict } from './sbom/judges.ts';
import { measure } from './sbom/measurement.ts';
import { writePublishedBom } from './sbom/published-bom.ts';
import { recipes } from './sbom/recipes/table.ts';

const longestMilliseconds = 10 * 60_000;

await main(async () => {
  const known = recipes.filter(({ isBase }) => isBase !== true).map(({ name }) => name);
  const { values } = parseArgs({ options: { only: { type: 'string', default: known.join(',') } } });
  await ensureJudges();
  const peer = await readySyft();
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-judges-'));
  const verdicts: { readonly image: string; readonly ours: Verdict; readonly peer: Verdict }[] = [];
  try {
    for (const name of values.only.split(',')) {
      const { layout } = await ensureImage(name);
      const files = { ours: join(folder, 'ours.json'), peer: join(folder, 'peer.json') };
      await writePublishedBom(layout, files.ours, AbortSignal.timeout(longestMilliseconds));
      await measure(peer.command(layout), files.peer);
      const verdict = {
        image: name,
        ours: await judge(files.ours, folder),
        peer: await judge(files.peer, folder),
      };
      print(verdict);
      verdicts.push(verdict);
    }
    console.log(
      JSON.stringify({ judges: 'sbom', peer: { name: peer.name, version: peer.version }, verdicts }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

function print({ image, ours, peer }: { image: string; ours: Verdict; peer: Verdict }): void {
  const line = ({ scvs, cra, ntia, schemaValid }: Verdict): string =>
    `SCVS ${scvs}, CRA ${cra}, NTIA ${ntia}, ${schemaValid ? 'valid' : 'NOT valid'}`;
  console.log(`${image}: ours ${line(ours)}; syft ${line(peer)}`);
  for (const failure of ours.failures) console.log(`  ours ${failure}`);
}
