import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../stack/process/run.ts';
import { runInside } from '../chroot.ts';
import type { Recipe } from '../recipe.ts';

const mirror = 'http://deb.debian.org/debian';
const packages =
  'build-essential git nginx openssh-client postgresql-client python3-dev vim imagemagick ruby ffmpeg subversion php-cli';

/** Installing without syncs: the tree is thrown away after it is archived. */
export const aptInstall =
  'apt-get -qq update && apt-get -qq -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io install';
const aptClean = 'apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*';

/** Debian's own minimal root. */
export const debianBase: Recipe = {
  name: 'debian-base',
  revision: 1,
  about: 'Debian 12 minbase',
  isBase: true,
  build: async ({ image, scratch }) => {
    const tar = join(scratch, 'base.tar');
    await run('mmdebstrap', ['--variant=minbase', '--format=tar', 'bookworm', tar, mirror]);
    await run('tar', ['-xpf', tar, '-C', image.root, '--numeric-owner', '--exclude=./dev/*']);
    await image.commit({ compression: 'gzip', archive: 'gnu' });
  },
};

/** A developer's image, from which a later layer removes packages. */
export const debianFull: Recipe = {
  name: 'debian',
  revision: 1,
  about: 'Debian 12, 300+ packages, some purged by a later layer',
  build: async ({ image, base }) => {
    await image.startFrom(await base(debianBase.name));
    await runInside(image.root, `${aptInstall} ${packages} && ${aptClean}`);
    await image.commit({ compression: 'gzip', archive: 'gnu' });
    await runInside(
      image.root,
      'apt-get -qq -y purge vim ruby subversion && apt-get -qq -y autoremove --purge',
    );
    await rm(join(image.root, 'usr/share/doc/git'), { recursive: true });
    await image.commit({ compression: 'zstd', archive: 'pax' });
  },
};
