import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { builtPath, ensureBuilt } from '../../../stack/build/binaries.ts';
import { run } from '../../../stack/process/run.ts';
import { componentNamed } from '../../../stack/versions.ts';
import type { Recipe } from '../recipe.ts';

const programs = ['crane', 'cosign', 'kubectl'];

/** Stripped static programs on nothing, as ko makes them; the last layer replaces one and removes one. */
export const goStatic: Recipe = {
  name: 'go-static',
  revision: 1,
  about: 'static Go programs on scratch',
  build: async ({ image }) => {
    const components = programs.map(componentNamed);
    await ensureBuilt(components);
    await image.start();
    const folder = join(image.root, 'ko-app');
    await mkdir(folder);
    for (const component of components) await run('cp', [builtPath(component), folder]);
    await image.commit({ compression: 'gzip', archive: 'gnu' });
    await run('rm', [join(folder, 'crane')]);
    await image.commit({ compression: 'gzip', archive: 'gnu' });
  },
};
