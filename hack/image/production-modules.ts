import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyOf, filesBelow } from './image-file.ts';
import type { ImageFile } from './image-file.ts';

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
}

/** Sources, types and maps of what is there compiled, and texts that are no licence. */
const unneeded = /\.(?:map|[cm]?ts|tsx|md|markdown|html)$/i;
const licence = /licen[cs]e|notice|copying/i;

/** The packages that `npm ci --omit=dev` would install, as they lie in `node_modules`, less what no program reads. */
export async function productionModules(checkout: string, target: string): Promise<readonly ImageFile[]> {
  const lock = JSON.parse(await readFile(join(checkout, 'package-lock.json'), 'utf8')) as Lock;
  const folders = Object.entries(lock.packages)
    .filter(([folder, { dev, devOptional }]) => folder !== '' && dev !== true && devOptional !== true)
    .map(([folder]) => folder)
    // Optional ones for other systems are not there.
    .filter((folder) => existsSync(join(checkout, folder)));
  const files = folders.map(async (folder) => {
    const names = await filesBelow(join(checkout, folder), isWanted);
    return Promise.all(
      names.map((name) => copyOf(`${target}/${folder}/${name}`, join(checkout, folder, name))),
    );
  });
  return (await Promise.all(files)).flat();
}

/** Packages within a package have an entry of their own. */
function isWanted(path: string): boolean {
  if (path.startsWith('node_modules/')) return false;
  return !unneeded.test(path) || licence.test(path.slice(path.lastIndexOf('/') + 1));
}
