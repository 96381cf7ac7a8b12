import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import { run } from '../stack/process/run.ts';
import { inCache } from '../stack/paths.ts';
import { fileOf, linkOf } from './image-file.ts';
import type { ImageFile } from './image-file.ts';

/** A package of the Debian archive, in the version that this machine's package lists name. */
interface Package {
  readonly file: string;
  readonly sha256: string;
}

const libraries = ['libc6', 'libgcc-s1', 'libstdc++6'];
const others = ['base-files', 'ca-certificates'];
const bundle = 'etc/ssl/certs/ca-certificates.crt';

/**
 * What Node needs of Debian: the C and C++ libraries, the certificate authorities, the release's name, and of each package its
 * licence and its entry in dpkg's status, where scanners look for it.
 */
export async function debianFiles(): Promise<readonly ImageFile[]> {
  const packages = await download([...libraries, ...others]);
  // Their licences lie in a package that all parts of the compiler share.
  const shared = (await Promise.all(packages.map(sharedDocumentation))).flat();
  const all = [...packages, ...(await download([...new Set(shared)]))];
  const files = (await Promise.all(all.map(filesOf))).flat();
  const authorities = files.filter(({ path }) => path.endsWith('.crt'));
  const kept = files.filter((file) => !authorities.includes(file));
  return [
    ...kept,
    fileOf(bundle, Buffer.concat(authorities.map(bytesOf))),
    ...['lib', 'lib64'].map((name) => linkOf(name, `usr/${name}`)),
  ];
}

async function download(names: readonly string[]): Promise<readonly Package[]> {
  const folder = inCache('debian');
  await mkdir(folder, { recursive: true });
  const packages = await findPackages(names, folder);
  for (const { file, sha256 } of packages) {
    if ((await digestOf(file)) !== sha256) throw new Error(`${file} is not what Debian's lists say`);
  }
  return packages;
}

/** Without package lists, or with old ones that name what is gone, the lists are fetched anew, once. */
async function findPackages(names: readonly string[], folder: string): Promise<readonly Package[]> {
  try {
    return await fetchMissing(names, folder);
  } catch {
    await run('apt-get', ['update', '-qq']);
    return fetchMissing(names, folder);
  }
}

async function fetchMissing(names: readonly string[], folder: string): Promise<readonly Package[]> {
  // As root apt would leave the download to a user who may not write here.
  const options = ['-o', 'APT::Sandbox::User=root'];
  const lines = (await run('apt-get', [...options, 'download', '--print-uris', ...names])).trim().split('\n');
  const packages = lines.map((line) => {
    const [, name = '', , sum = ''] = line.split(' ');
    return { file: join(folder, name), sha256: sum.replace(/^SHA256:/, '') };
  });
  const missing = await Promise.all(
    packages.map(async ({ file, sha256 }) => (await digestOf(file)) !== sha256),
  );
  if (packages.length !== names.length || missing.includes(true)) {
    await run('apt-get', [...options, '-qq', 'download', ...names], { cwd: folder });
  }
  return packages;
}

async function digestOf(file: string): Promise<string | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes === undefined ? undefined : createHash('sha256').update(bytes).digest('hex');
}

/** The package in which the licence of this one lies, where it is not its own. */
async function sharedDocumentation({ file }: Package): Promise<readonly string[]> {
  const depends = await run('dpkg-deb', ['--field', file, 'Depends']);
  return depends.match(/gcc-\d+-base/g) ?? [];
}

async function filesOf({ file }: Package): Promise<readonly ImageFile[]> {
  const files: ImageFile[] = [];
  const child = spawn('dpkg-deb', ['--fsys-tarfile', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const entry of child.stdout.pipe(extract())) {
    const { name, type, mode, linkname } = entry.header;
    const path = mergedPath(name.replace(/^\.\//, ''));
    const bytes = await buffer(entry);
    if (!isWanted(path)) continue;
    if (type === 'file') files.push({ ...fileOf(path, bytes), mode: (mode & 0o111) === 0 ? 0o644 : 0o755 });
    if (type === 'symlink') files.push(linkOf(path, linkname));
  }
  const status = await run('dpkg-deb', ['--field', file]);
  const [, name = ''] = /^Package: (\S+)$/m.exec(status) ?? [];
  return [...files, fileOf(`var/lib/dpkg/status.d/${name}`, `${status.trimEnd()}\n`)];
}

/** Every library lies below usr/, whatever release packed it. */
function mergedPath(path: string): string {
  return /^lib(?:64)?\//.test(path) ? `usr/${path}` : path;
}

function isWanted(path: string): boolean {
  if (/^usr\/share\/doc\/[^/]+(?:\/copyright)?$/.test(path)) return true;
  if (path === 'usr/lib/os-release' || path === 'etc/os-release') return true;
  if (/^usr\/share\/ca-certificates\/mozilla\/.+\.crt$/.test(path)) return true;
  return /^usr\/lib(?:64)?\/.*\.so(?:\.[\d.]+)?$/.test(path) && !path.includes('/gconv/');
}

function bytesOf({ content }: ImageFile): Buffer {
  return 'bytes' in content ? content.bytes : Buffer.alloc(0);
}
