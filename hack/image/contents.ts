import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../stack/process/run.ts';
import { debianFiles } from './debian-files.ts';
import { copyOf, fileOf, filesBelow, linkOf } from './image-file.ts';
import type { ImageFile, Layer } from './image-file.ts';
import { productionModules } from './production-modules.ts';

/** Where the image has Node, and our program. The Dockerfile has the same. */
export const entrypoint = [
  '/nodejs/bin/node',
  '--max-semi-space-size=4',
  '/app/dist/commands/main.js',
] as const;

/** Variables that every process of it has. */
export const environment = { PATH: '/nodejs/bin', NODE_ENV: 'production', HOME: '/tmp' } as const;

/** Who runs it, by number, since Kubernetes tells root from others by that. */
export const user = 65532;

const accounts = [
  fileOf(
    'etc/passwd',
    `root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:${user}:${user}:nonroot:/tmp:/sbin/nologin\n`,
  ),
  fileOf('etc/group', `root:x:0:\nnonroot:x:${user}:\n`),
  fileOf('etc/nsswitch.conf', 'hosts: files dns\n'),
];

/** The layers of the image, those that change least first. Compiles the sources; `node_modules` must be installed. */
export async function imageLayers(checkout: string): Promise<readonly Layer[]> {
  return [
    { name: 'debian', files: [...(await debianFiles()), ...accounts] },
    { name: 'node', files: await nodeFiles(checkout) },
    { name: 'node_modules', files: await productionModules(checkout, 'app') },
    { name: 'chainwright', files: await ownFiles(checkout) },
  ];
}

/** The Node that runs this, with the package that it came in, so that the image's SBOM can name it. */
async function nodeFiles(checkout: string): Promise<readonly ImageFile[]> {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(checkout, 'node_modules/node/node_modules', name);
  // Put there by a script of the package `node`, so npm takes it away with the next package that is installed.
  if (!existsSync(join(folder, 'package.json'))) await run('npm', ['rebuild', 'node'], { cwd: checkout });
  const target = `nodejs/lib/node_modules/${name}`;
  const names = ['package.json', 'LICENSE', 'bin/node'];
  const files = names.map((file) => copyOf(`${target}/${file}`, join(folder, file)));
  return [...(await Promise.all(files)), linkOf('nodejs/bin/node', `/${target}/bin/node`)];
}

async function ownFiles(checkout: string): Promise<readonly ImageFile[]> {
  const dist = await compiled(checkout);
  const kept = ['package.json', 'LICENSE', 'config/samples/golemtrust-production-policy.yaml'];
  const modules = await filesBelow(join(checkout, 'policy-engine/modules'));
  const named = [
    ...kept,
    ...modules.map((name) => `policy-engine/modules/${name}`),
    ...(await manifestNames(checkout)),
  ];
  return [...dist, ...(await Promise.all(named.map((name) => copyOf(`app/${name}`, join(checkout, name)))))];
}

/** What `chainwright doctor` compares a cluster with: the types, and the rights. */
async function manifestNames(checkout: string): Promise<readonly string[]> {
  const types = await filesBelow(join(checkout, 'crds'));
  const config = await filesBelow(join(checkout, 'config'));
  return [
    ...types.filter((name) => name.endsWith('.yaml')).map((name) => `crds/${name}`),
    ...config.filter((name) => name.endsWith('/rbac.yaml')).map((name) => `config/${name}`),
  ];
}

/** Compiled apart from `dist/`, where something of an older build may lie. */
async function compiled(checkout: string): Promise<readonly ImageFile[]> {
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-dist-'));
  try {
    const tsc = join(checkout, 'node_modules/.bin/tsc');
    await run(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', folder], { cwd: checkout });
    const names = await filesBelow(folder);
    return await Promise.all(
      names.map(async (name) => fileOf(`app/dist/${name}`, await readFile(join(folder, name)))),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}
