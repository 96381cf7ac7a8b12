import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../stack/process/run.ts';
import type { Recipe } from '../recipe.ts';

const packages = [
  'base-files',
  'ca-certificates',
  'libc6',
  'libgcc-s1',
  'libssl3',
  'libstdc++6',
  'libgomp1',
  'gcc-12-base',
  'media-types',
  'netbase',
  'openssl',
  'tzdata',
  'zlib1g',
  'libexpat1',
  'libpython3.11-minimal',
  'libpython3.11-stdlib',
  'python3.11-minimal',
];

/** As the distroless images are: a layer for each package, and no package manager, but its records in status.d. */
export const distroless: Recipe = {
  name: 'distroless',
  revision: 1,
  about: 'Debian packages without dpkg: status.d, a layer each',
  build: async ({ image, scratch }) => {
    await image.start();
    await run('apt-get', ['-qq', 'download', ...packages], { cwd: scratch });
    const records = join(image.root, 'var/lib/dpkg/status.d');
    for (const file of (await readdir(scratch)).sort()) {
      const control = join(scratch, 'control');
      await run('dpkg-deb', ['--extract', join(scratch, file), image.root]);
      await run('dpkg-deb', ['--control', join(scratch, file), control]);
      await mkdir(records, { recursive: true });
      const [name = ''] = file.split('_');
      await writeFile(join(records, name), await readFile(join(control, 'control')));
      await run('cp', [join(control, 'md5sums'), join(records, `${name}.md5sums`)]);
      await rm(control, { recursive: true });
      await image.commit({ compression: 'gzip', archive: 'gnu' });
    }
  },
};
