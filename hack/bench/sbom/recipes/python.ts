import { join } from 'node:path';
import { run } from '../../../stack/process/run.ts';
import type { Recipe } from '../recipe.ts';
import { debianBase } from './debian.ts';

const requirements = [
  'Django==5.2.9',
  'flask',
  'fastapi[standard]',
  'pandas==2.3.3',
  'cryptography',
  'celery',
  'boto3',
  'jupyterlab',
  'httpx',
];
const heavy = [
  'tensorflow-cpu==2.19.1',
  'pyspark==3.5.7',
  'pyarrow',
  'scipy',
  'opencv-python-headless',
  'scikit-learn',
  'matplotlib',
];

/** Runs the pip of a virtual environment inside the image's tree. */
async function pip(root: string, ...args: string[]): Promise<void> {
  const venv = join(root, 'opt/venv');
  await run(join(venv, 'bin/python'), ['-m', 'pip', '--quiet', '--no-cache-dir', ...args]);
}

/** A virtual environment; a later layer removes one package and replaces another by a newer version. */
export const pythonEnvironment: Recipe = {
  name: 'python',
  revision: 1,
  about: 'Python virtual environment, changed by a later layer',
  build: async ({ image, base }) => {
    await image.startFrom(await base(debianBase.name));
    await run('python3', ['-m', 'venv', '--copies', join(image.root, 'opt/venv')]);
    await pip(image.root, 'install', ...requirements);
    await image.commit({ compression: 'gzip', archive: 'gnu' });
    await pip(image.root, 'uninstall', '--yes', 'pandas', 'celery');
    await pip(image.root, 'install', 'Django==5.2.8');
    await image.commit({ compression: 'gzip', archive: 'pax' });
  },
};

/** What machine learning images look like. */
export const large: Recipe = {
  name: 'large',
  revision: 1,
  about: 'over 1 GB: TensorFlow, Spark (Java archives inside), Arrow',
  build: async ({ image, base }) => {
    await image.startFrom(await base(debianBase.name));
    await run('python3', ['-m', 'venv', '--copies', join(image.root, 'opt/venv')]);
    await pip(image.root, 'install', ...heavy.slice(0, 1));
    await image.commit({ compression: 'gzip', archive: 'gnu' });
    await pip(image.root, 'install', ...heavy.slice(1));
    await image.commit({ compression: 'gzip', archive: 'pax' });
  },
};
