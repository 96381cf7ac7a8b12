import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { entrypoint } from '../../../hack/image/contents.ts';

/** A file or folder of this machine that a container sees at `target`. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** What a container is started with. */
export interface ContainerSpec {
  /** The image's file system; it is not written to. */
  readonly root: string;
  /** An empty folder of its own. */
  readonly scratch: string;
  readonly mounts: readonly Mount[];
  readonly uid: number;
  readonly gid: number;
}

const system: readonly Mount[] = ['/etc/hosts', '/etc/resolv.conf'].map((path) => ({
  source: path,
  target: path,
  readOnly: true,
}));

/**
 * The command line that runs the image's entrypoint as a container does: in a mount namespace of its own, with nothing of this
 * machine but what is mounted, a root file system that cannot be written to, another user than root, no capabilities and
 * no way to get any. The arguments of the container are to be appended. Needs root.
 */
export async function containerCommand(spec: ContainerSpec): Promise<readonly [string, ...string[]]> {
  const { root, scratch, uid, gid } = spec;
  const merged = join(scratch, 'merged');
  for (const name of ['upper', 'work', 'merged']) await mkdir(join(scratch, name), { recursive: true });
  const layers = `lowerdir=${root},upperdir=${scratch}/upper,workdir=${scratch}/work`;
  const mounts = await Promise.all([...system, ...spec.mounts].map((mount) => mountLines(merged, mount)));
  const script = [
    'set -eu',
    'inside=$PATH',
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    `mount -t overlay overlay -o '${layers}' '${merged}'`,
    `mkdir -p '${merged}/proc' '${merged}/dev'`,
    `mount -t proc proc '${merged}/proc'`,
    `mount --rbind /dev '${merged}/dev'`,
    ...mounts.flat(),
    `mount -o remount,bind,ro '${merged}'`,
    'exec /usr/bin/env PATH="$inside" /usr/bin/setpriv --no-new-privs --inh-caps=-all ' +
      '--bounding-set=-all,+sys_chroot,+setuid,+setgid ' +
      `/usr/sbin/chroot --userspec=${uid}:${gid} --groups=${gid} '${merged}' "$@"`,
  ].join('\n');
  return [
    '/usr/bin/unshare',
    ...['--mount', '--propagation', 'private', '/bin/sh', '-c', script, 'sh'],
    ...entrypoint,
  ];
}

async function mountLines(merged: string, { source, target, readOnly }: Mount): Promise<readonly string[]> {
  const place = `${merged}${target}`;
  const isFolder = (await stat(source)).isDirectory();
  return [
    isFolder ? `mkdir -p '${place}'` : `mkdir -p "$(dirname '${place}')"; touch '${place}'`,
    `mount --bind '${source}' '${place}'`,
    ...(readOnly ? [`mount -o remount,bind,ro '${place}'`] : []),
  ];
}
