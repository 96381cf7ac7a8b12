import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The checkout that this stack belongs to. */
export const checkout: string = resolve(import.meta.dirname, '../..');

/** Everything that a running stack writes; removed by `down --wipe`. */
export const stateFolder: string = join(checkout, '.stack');

/** Joins path parts below the state folder. */
export function inState(...parts: string[]): string {
  return join(stateFolder, ...parts);
}

/** The cache of binaries and of the Go toolchain: outside the checkout, so that every checkout shares it. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['CHAINWRIGHT_CACHE'];
  if (own !== undefined && own !== '') return resolve(own);
  const base = environment['XDG_CACHE_HOME'];
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.cache'), 'chainwright');
}

/** Joins path parts below the cache folder. */
export function inCache(...parts: string[]): string {
  return join(cacheFolder(), ...parts);
}
