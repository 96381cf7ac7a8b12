import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { inCache } from '../paths.ts';
import { recipeDigest } from '../versions.ts';
import type { Component } from '../component.ts';
import { compile, modulesFolder } from './compile.ts';
import { takeLock } from './lock.ts';
import { showProgress } from './progress.ts';
import { goToolchainReady } from './toolchain.ts';

const stampName = 'stamp.json';

/** Two at a time: one links or downloads while the other compiles. */
const lanes = 2;

function folderOf(component: Component): string {
  return inCache('binaries', `${component.name}@${component.version}`);
}

/** The path of a built component: a program, or a folder of files. */
export function builtPath(component: Component): string {
  return join(folderOf(component), component.name);
}

async function digestOf(component: Component): Promise<string> {
  if (component.kind !== 'own-module') return recipeDigest(component, []);
  const folder = join(modulesFolder, component.folder);
  const names = (await readdir(folder)).sort();
  return recipeDigest(
    component,
    await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8'))),
  );
}

/** True if the cache holds this component, whole and made by today's recipe. */
export async function isBuilt(component: Component): Promise<boolean> {
  try {
    const stamp: unknown = JSON.parse(await readFile(join(folderOf(component), stampName), 'utf8'));
    return (
      typeof stamp === 'object' &&
      stamp !== null &&
      'recipe' in stamp &&
      stamp.recipe === (await digestOf(component))
    );
  } catch {
    return false;
  }
}

/** Builds beside the cache and moves the finished folder in by one rename: a killed build leaves nothing believed. */
async function buildOne(component: Component): Promise<void> {
  const go = await goToolchainReady();
  await mkdir(inCache('tmp'), { recursive: true });
  await mkdir(inCache('binaries'), { recursive: true });
  const scratch = await mkdtemp(inCache('tmp', `${component.name}-`));
  try {
    const out = join(scratch, 'out');
    const began = Date.now();
    await compile(go, component, scratch, out);
    const stamp = { recipe: await digestOf(component), seconds: Math.round((Date.now() - began) / 1000) };
    await writeFile(join(out, stampName), JSON.stringify(stamp));
    await rm(folderOf(component), { recursive: true, force: true });
    await rename(out, folderOf(component));
  } catch (cause) {
    throw new Error(`cannot build ${component.name} ${component.version}`, { cause });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function missingOf(components: readonly Component[]): Promise<Component[]> {
  const built = await Promise.all(components.map(isBuilt));
  return components.filter((_, index) => built[index] !== true);
}

async function buildAll(missing: readonly Component[]): Promise<void> {
  await goToolchainReady();
  const progress = showProgress('building', missing.length);
  const queue = [...missing];
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      progress.start(next.name);
      await buildOne(next);
      progress.finish(next.name);
    }
  };
  const giveUp = (error: unknown): never => {
    // The other lane may finish what it is at, and no more.
    queue.length = 0;
    throw error;
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, () => lane().catch(giveUp)));
  progress.close();
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** Sees to it that the cache holds all these components. Two runs at once don't build the same thing twice. */
export async function ensureBuilt(components: readonly Component[]): Promise<void> {
  if ((await missingOf(components)).length === 0) return;
  const lock = await takeLock(inCache('build.lock'));
  try {
    // Another run may have built them while we waited.
    const missing = await missingOf(components);
    // What a killed run left half-built is in the way of the disk only.
    await rm(inCache('tmp'), { recursive: true, force: true });
    if (missing.length > 0) await buildAll(missing);
  } finally {
    lock.release();
  }
}
