import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { goToolchainReady } from '../../stack/build/toolchain.ts';
import { run } from '../../stack/process/run.ts';
import type { DeclaredFile } from './recipe.ts';
import type { UnpackedImage } from './unpacked-image.ts';

/** Asks one package manager what is installed in an unpacked image; gives keys as `keyOf` does. */
type Inquiry = (image: UnpackedImage) => Promise<readonly string[]>;

/**
 * What the package managers' own programs and records say is installed: the independent check of both catalogues. They
 * run on this machine and look into the tree; nothing of the image is executed.
 */
export async function findInstalled(
  image: UnpackedImage,
  declared: readonly DeclaredFile[],
): Promise<ReadonlySet<string>> {
  const answers = await askBuild(image, declared);
  for (const ask of [askDpkg, readStatusFolder, askRpm, readApk, askNpm, askPip, askGo])
    answers.push(...(await ask(image)));
  return new Set(answers);
}

const dpkgFormat = '${db:Status-Abbrev}|${Package}|${Version}\\n';

const askDpkg: Inquiry = async (image) => {
  const [status] = await image.find('-path', '*/var/lib/dpkg/status');
  if (status === undefined) return [];
  return dpkgKeys(join(image.root, dirname(status)), await distroOf(image));
};

/** Distroless images have the records and not the file that dpkg reads: it is put together for it. */
const readStatusFolder: Inquiry = async (image) => {
  const files = await image.find(
    '-path',
    '*/var/lib/dpkg/status.d/*',
    '-not',
    '-name',
    '*.md5sums',
    '-type',
    'f',
  );
  if (files.length === 0) return [];
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-bench-dpkg-'));
  try {
    const records = await Promise.all(files.map((file) => readFile(join(image.root, file), 'utf8')));
    const status = records.map((record) => `${record.trim()}\nStatus: install ok installed\n\n`).join('');
    await writeFile(join(folder, 'status'), status);
    return await dpkgKeys(folder, await distroOf(image));
  } finally {
    await rm(folder, { recursive: true });
  }
};

async function dpkgKeys(admin: string, distro: string): Promise<string[]> {
  const printed = await run('dpkg-query', [`--admindir=${admin}`, '-W', '-f', dpkgFormat]);
  return rows(printed, '|')
    .filter(([state]) => state?.startsWith('ii') === true)
    .map(([, name, version]) => `deb/${distro}/${name}@${version}`);
}

const askRpm: Inquiry = async (image) => {
  const [database] = await image.find('-name', 'rpmdb.sqlite');
  if (database === undefined) return [];
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-bench-rpm-'));
  try {
    // rpm writes beside its database even when asked to read only.
    await run('cp', ['-r', join(image.root, dirname(database)), join(folder, 'rpm')]);
    const format = '%{NAME}|%{VERSION}-%{RELEASE}\\n';
    const printed = await run('rpm', [
      '--dbpath',
      join(folder, 'rpm'),
      '--define',
      '_db_backend sqlite',
      '-qa',
      '--qf',
      format,
    ]);
    const distro = await distroOf(image);
    return rows(printed, '|').map(([name, version]) => `rpm/${distro}/${name}@${version}`);
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** apk's own program is not to be had everywhere; its database is paragraphs of one-letter fields. */
const readApk: Inquiry = async (image) => {
  const [database] = await image.find('-path', '*/lib/apk/db/installed');
  if (database === undefined) return [];
  const distro = await distroOf(image);
  const records = (await readFile(join(image.root, database), 'utf8')).split('\n\n');
  return records.flatMap((record) => {
    const name = /^P:(.*)$/m.exec(record)?.[1];
    return name === undefined ? [] : [`apk/${distro}/${name}@${/^V:(.*)$/m.exec(record)?.[1] ?? ''}`];
  });
};

/** Every folder that Node would load a package from. */
const askNpm: Inquiry = async (image) => {
  const manifests = await image.find('-name', 'package.json', '-type', 'f');
  const keys = await Promise.all(
    manifests.filter(isModuleManifest).map(async (path) => {
      const { name, version } = await readManifest(join(image.root, path));
      return name === undefined || version === undefined || version === '' ? [] : [`npm/${name}@${version}`];
    }),
  );
  return keys.flat();
};

async function readManifest(file: string): Promise<{ readonly name?: string; readonly version?: string }> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as { readonly name?: string; readonly version?: string };
  } catch {
    return {};
  }
}

function isModuleManifest(path: string): boolean {
  const folder = dirname(path);
  const parent = dirname(folder);
  return (
    basename(parent) === 'node_modules' ||
    (basename(parent).startsWith('@') && basename(dirname(parent)) === 'node_modules')
  );
}

const askPip: Inquiry = async (image) => {
  const records = await image.find('-path', '*.dist-info/METADATA', '-not', '-path', '*/_vendor/*');
  const folders = new Set(records.map((path) => dirname(dirname(path))));
  const keys: string[] = [];
  for (const folder of folders) {
    const printed = await run('python3', [
      '-m',
      'pip',
      'list',
      '--format=json',
      '--path',
      join(image.root, folder),
    ]);
    const listed = JSON.parse(printed) as readonly { readonly name: string; readonly version: string }[];
    keys.push(
      ...listed.map(
        ({ name, version }) => `pypi/${name.toLowerCase().replaceAll(/[-_.]+/g, '-')}@${version}`,
      ),
    );
  }
  return keys;
};

const listNested =
  'import sys, zipfile\nfor f in sys.argv[1:]:\n  for n in zipfile.ZipFile(f).namelist():\n    if n.endswith(".jar"): print(n)';

/** Archives whose origin the build wrote down; one that a later layer deleted is not there any more. */
async function askBuild(image: UnpackedImage, declared: readonly DeclaredFile[]): Promise<string[]> {
  if (declared.length === 0) return [];
  const archives = (await image.find('-name', '*.jar')).map((path) => join(image.root, path));
  const nested = (await run('python3', ['-c', listNested, ...archives])).split('\n');
  const present = new Set([...archives, ...nested].map((path) => basename(path)));
  return declared.filter(({ file }) => present.has(file)).map(({ key }) => key);
}

/** The Go command reads what its linker wrote; a replacement counts instead of what it replaces. */
const askGo: Inquiry = async (image) => {
  const programs = await image.find('-type', 'f', '-perm', '/111', '-size', '+500k');
  const { program, env } = await goToolchainReady();
  const keys: string[] = [];
  for (const path of programs) {
    const printed = await run(program, ['version', '-m', join(image.root, path)], { env }).catch(() => '');
    keys.push(...goKeys(printed));
  }
  return keys;
};

function goKeys(printed: string): string[] {
  const toolchain = /: (go\S+)/.exec(printed)?.[1];
  if (toolchain === undefined) return [];
  const modules: string[] = [`golang/stdlib@${toolchain.replace(/^go/, '')}`];
  for (const [, kind, name, version] of rows(printed, '\t')) {
    if (kind === '=>') modules.pop();
    if (kind === 'dep' || kind === '=>' || kind === 'mod') modules.push(`golang/${name}@${version ?? ''}`);
  }
  return modules;
}

async function distroOf(image: UnpackedImage): Promise<string> {
  for (const path of ['etc/os-release', 'usr/lib/os-release']) {
    const text = await readFile(join(image.root, path), 'utf8').catch(() => '');
    const id = /^ID="?([^"\n]+)"?$/m.exec(text)?.[1];
    if (id !== undefined) return id;
  }
  return 'unknown';
}

function rows(printed: string, separator: string): string[][] {
  return printed
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(separator));
}
