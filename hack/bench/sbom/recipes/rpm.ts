import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../stack/process/run.ts';
import type { Recipe } from '../recipe.ts';

/** The first group is the base layer, the second comes with the next one; the third is erased again. */
const groups = [
  'bash coreutils findutils grep sed gzip tar libc6 libtinfo6 libselinux1 libpcre2-8-0 zlib1g libacl1 libattr1 libgmp10 libssl3 ca-certificates tzdata libzstd1 liblzma5 libbz2-1.0 libcap2 libcrypt1 util-linux mount login passwd hostname netbase',
  'openssl curl libcurl4 libnghttp2-14 libidn2-0 libunistring2 libpsl5 librtmp1 libssh2-1 libbrotli1 libldap-2.5-0 libsasl2-2 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libcom-err2 less procps sqlite3 libsqlite3-0 libreadline8 jq libjq1 libonig5 rsync liblz4-1 libpopt0 libxxhash0',
  'nano file libmagic1 libmagic-mgc make patch',
].map((names) => names.split(' '));
const databaseFolder = '/usr/lib/sysimage/rpm';

interface Control {
  readonly name: string;
  readonly epoch: string;
  readonly version: string;
  readonly release: string;
  readonly architecture: string;
  readonly maintainer: string;
  readonly summary: string;
  readonly requires: readonly string[];
}

/**
 * A root with a real RPM database. No RPM repository is served to every machine that runs this, so rpmbuild makes the
 * packages of Debian's files; rpm itself installs and erases them. Debian's rpm writes the database of Fedora and RHEL 9 only.
 */
export const rpmRoot: Recipe = {
  name: 'rpm',
  revision: 2,
  about: "RPM root (sqlite database), packages made by rpmbuild of Debian's files",
  build: async ({ image, scratch }) => {
    await image.start();
    await mkdir(join(image.root, databaseFolder), { recursive: true });
    await mkdir(join(image.root, 'var/lib'), { recursive: true });
    await symlink('../../usr/lib/sysimage/rpm', join(image.root, 'var/lib/rpm'));
    await mkdir(join(image.root, 'etc'), { recursive: true });
    await writeFile(
      join(image.root, 'etc/os-release'),
      'ID=fedora\nVERSION_ID=43\nPRETTY_NAME="Fedora-like root"\n',
    );
    const rpm = (...args: string[]): Promise<string> =>
      run('rpm', [
        '--root',
        image.root,
        '--dbpath',
        databaseFolder,
        '--define',
        '_db_backend sqlite',
        ...args,
      ]);
    for (const [at, names] of groups.entries()) {
      const files = await makePackages(names, join(scratch, String(at)));
      await rpm('-i', '--nodeps', '--noscripts', '--nosignature', '--replacefiles', ...files);
      await image.commit({ compression: 'gzip', archive: at === 0 ? 'gnu' : 'pax' });
    }
    await rpm('-e', '--nodeps', '--noscripts', ...(groups.at(-1) ?? []));
    await image.commit({ compression: 'gzip', archive: 'gnu' });
  },
};

/** Turns Debian packages into RPM packages with the same files and the metadata that RPM has a field for. */
async function makePackages(names: readonly string[], scratch: string): Promise<string[]> {
  await mkdir(join(scratch, 'debs'), { recursive: true });
  await run('apt-get', ['-qq', 'download', ...names], { cwd: join(scratch, 'debs') });
  for (const file of await readdir(join(scratch, 'debs')))
    await makePackage(join(scratch, 'debs', file), scratch);
  const found = await readdir(join(scratch, 'rpms'), { recursive: true });
  return found.filter((name) => name.endsWith('.rpm')).map((name) => join(scratch, 'rpms', name));
}

async function makePackage(file: string, scratch: string): Promise<void> {
  const tree = join(scratch, 'tree');
  await run('dpkg-deb', ['--extract', file, tree]);
  const control = await readControl(file);
  const files = await run('find', [
    tree,
    '-mindepth',
    '1',
    '(',
    '-type',
    'd',
    '-printf',
    String.raw`%%dir "/%P"\n`,
    '-o',
    '-printf',
    String.raw`"/%P"\n`,
    ')',
  ]);
  await writeFile(join(scratch, 'package.spec'), specOf(control, files));
  await run('rpmbuild', [
    ...['-bb', '--quiet', '--nodeps', '--buildroot', join(scratch, 'buildroot')],
    ...['--define', `_topdir ${join(scratch, 'work')}`, '--define', `_rpmdir ${join(scratch, 'rpms')}`],
    ...[
      '--define',
      `_source_tree ${tree}`,
      '--define',
      '_binary_payload w1.gzdio',
      '--define',
      '__os_install_post %{nil}',
    ],
    ...['--define', '_build_id_links none', '--target', control.architecture, join(scratch, 'package.spec')],
  ]);
  await rm(tree, { recursive: true });
}

async function readControl(file: string): Promise<Control> {
  const field = async (name: string): Promise<string> =>
    (await run('dpkg-deb', ['--field', file, name])).trim();
  const [, epoch = '', rest = ''] = /^(?:(\d+):)?(.*)$/.exec(await field('Version')) ?? [];
  const dash = rest.lastIndexOf('-');
  const name = await field('Package');
  const depends = (await field('Depends')).split(',').map((one) => one.trim().split(/[ :(|]/)[0] ?? '');
  return {
    name,
    epoch,
    version: (dash < 0 ? rest : rest.slice(0, dash)).replaceAll('-', '.'),
    release: dash < 0 ? '1' : rest.slice(dash + 1),
    architecture: (await field('Architecture')) === 'all' ? 'noarch' : 'x86_64',
    maintainer: await field('Maintainer'),
    summary: (await field('Description')).split('\n')[0] ?? name,
    requires: depends.filter((one) => one !== ''),
  };
}

function specOf(control: Control, files: string): string {
  return `Name: ${control.name}
${control.epoch === '' ? '' : `Epoch: ${control.epoch}\n`}Version: ${control.version}
Release: ${control.release}
Summary: ${control.summary}
License: LicenseRef-Debian
Vendor: ${control.maintainer}
AutoReqProv: no
${control.requires.map((name) => `Requires: ${name}`).join('\n')}
%description
${control.summary}
%install
mkdir -p %{buildroot}
cp -a %{_source_tree}/. %{buildroot}/
%files
${files}`;
}
