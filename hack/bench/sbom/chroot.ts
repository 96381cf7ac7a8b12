import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../stack/process/run.ts';

const environment = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  DEBIAN_FRONTEND: 'noninteractive',
  LC_ALL: 'C',
};

/** In a mount namespace of its own: nothing stays mounted, whatever happens. */
const enter = 'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" sh -euc "$1"';

/** Runs a package manager inside an image's tree, as a build step of a Dockerfile would; takes root. */
export async function runInside(root: string, script: string): Promise<void> {
  const resolver = join(root, 'etc/resolv.conf');
  await run('cp', ['--remove-destination', '--dereference', '/etc/resolv.conf', resolver]);
  await run('unshare', ['--mount', 'sh', '-euc', enter, root, script], { env: environment });
  await rm(resolver);
}
