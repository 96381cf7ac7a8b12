import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Command } from '../process/launch.ts';

const stackFolder = join(import.meta.dirname, '..');

async function sources(folder: string): Promise<string> {
  const names = (await readdir(folder)).sort();
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('');
}

/** How one of our own fronts is started: `front.ts` of its folder. A changed source restarts it. */
export async function frontCommand(folder: 'harbor' | 'rekor2' | 'node'): Promise<Command> {
  const folders = [folder, 'http'].map((name) => join(stackFolder, name));
  return {
    file: process.execPath,
    args: [join(stackFolder, folder, 'front.ts')],
    configuration: (await Promise.all(folders.map(sources))).join(''),
  };
}
