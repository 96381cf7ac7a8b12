import { cp, mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { checkout, inState } from '../../stack/paths.ts';
import { run } from '../../stack/process/run.ts';

/**
 * Builds the command line as it is released, compiled, in a folder of its own with the checkout's dependencies, and gives
 * the program's path: from the checkout itself Node would strip the types off every source file first.
 */
export async function buildRelease(): Promise<string> {
  const folder = inState('release');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // What `npm run build` does, and what `files` of package.json then publishes.
  await run(join(checkout, 'node_modules/.bin/tsc'), [
    '-p',
    join(checkout, 'tsconfig.build.json'),
    '--outDir',
    join(folder, 'dist'),
  ]);
  for (const part of ['bin', 'package.json'])
    await cp(join(checkout, part), join(folder, part), { recursive: true });
  await symlink(join(checkout, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'bin/chainwright');
}
