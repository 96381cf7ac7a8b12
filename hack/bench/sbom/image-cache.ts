import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inCache } from '../../stack/paths.ts';
import { ImageBuilder } from './image-builder.ts';
import type { BuiltImage } from './image-builder.ts';
import type { DeclaredFile, Recipe } from './recipe.ts';
import { recipes } from './recipes/table.ts';

/** An image that the cache holds. */
export interface CachedImage {
  readonly recipe: Recipe;
  /** OCI image layout folder. */
  readonly layout: string;
  readonly image: BuiltImage;
  readonly declared: readonly DeclaredFile[];
}

interface Kept extends BuiltImage {
  readonly declared: readonly DeclaredFile[];
}

/** The image of a recipe, built if the cache does not hold it. A build that fails leaves nothing that is believed. */
export async function ensureImage(name: string): Promise<CachedImage> {
  const recipe = recipes.find((one) => one.name === name);
  if (recipe === undefined) throw new Error(`no recipe is called ${name}`);
  const folder = inCache('bench-images', `${recipe.name}@${recipe.revision}`);
  const kept = await readKept(folder);
  if (kept === undefined) await build(recipe, folder);
  const image = kept ?? (await readKept(folder));
  if (image === undefined) throw new Error(`${folder} vanished after it was built`);
  return { recipe, layout: join(folder, 'layout'), image, declared: image.declared };
}

async function readKept(folder: string): Promise<Kept | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'image.json'), 'utf8')) as Kept;
  } catch {
    return undefined;
  }
}

async function build(recipe: Recipe, folder: string): Promise<void> {
  console.error(`building the image ${recipe.name}: ${recipe.about} ...`);
  await mkdir(inCache('bench-images'), { recursive: true });
  const site = await mkdtemp(`${folder}-`);
  try {
    const image = new ImageBuilder(site);
    const scratch = join(site, 'downloads');
    await mkdir(scratch);
    const declared: DeclaredFile[] = [];
    const declare = (files: readonly DeclaredFile[]): void => {
      declared.push(...files);
    };
    await recipe.build({ image, scratch, base: ensureImage, declare });
    await writeFile(join(site, 'image.json'), JSON.stringify({ ...(await image.finish()), declared }));
    for (const leftover of ['root', 'scratch', 'downloads'])
      await rm(join(site, leftover), { recursive: true });
    await rm(folder, { recursive: true, force: true });
    await rename(site, folder);
  } finally {
    await rm(site, { recursive: true, force: true });
  }
}
