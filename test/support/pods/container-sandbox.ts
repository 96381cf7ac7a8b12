import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChildCommand } from '../child.ts';

/** A folder of the machine at a path of a container. */
export interface SandboxMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** What one container runs with, besides what every one has. */
export interface Sandbox {
  readonly name: string;
  /** Of its own; holds the root file system and the log. */
  readonly folder: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly SandboxMount[];
  /** What its image has in /usr/local/bin: names, and where the machine has them. */
  readonly programs: Readonly<Record<string, string>>;
  /** Names of services, and of the API server, with their addresses. */
  readonly hosts: Readonly<Record<string, string>>;
  readonly user: number;
  readonly group: number;
  /** Its name in the image's /etc/passwd, if it has one. */
  readonly userName?: string;
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The command that runs a container's own command line as its manifest wants it: every mount at its path, the root file
 * system read-only, without root and without capabilities. Only the network is that of the machine, and its programs and
 * libraries in /usr stand for the image's.
 */
export async function sandboxCommand(sandbox: Sandbox): Promise<ChildCommand> {
  const { name, folder, argv, env } = sandbox;
  await mkdir(join(folder, 'root'), { recursive: true });
  await writeFile(join(folder, 'enter.sh'), scriptOf(sandbox));
  const variables = Object.entries({ PATH: path, ...env }).map(([key, value]) => `${key}=${value}`);
  return {
    name,
    file: 'unshare',
    args: [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-eu',
      join(folder, 'enter.sh'),
      'env',
      '-i',
      ...variables,
      ...argv,
    ],
    env: { PATH: path },
    logFile: join(folder, 'log'),
  };
}

function scriptOf({ folder, mounts, programs, hosts, user, group, userName }: Sandbox): string {
  const root = join(folder, 'root');
  const lines = [
    `mount -t tmpfs -o mode=755 pod ${root}`,
    `cd ${root}`,
    'mkdir usr dev proc etc run var tmp',
    'mount --rbind /usr usr',
    'mount -t tmpfs local usr/local/bin',
    'for link in bin sbin lib lib64; do [ ! -L /$link ] || ln -s usr/$link $link; done',
    'mount --rbind /dev dev',
    'mount -t proc proc proc',
    'ln -s ../run var/run',
    'cp -r /etc/ssl /etc/nsswitch.conf /etc/ld.so.cache etc/',
    ...Object.entries(hosts).map(([host, address]) => `echo '${address} ${host}' >> etc/hosts`),
    `echo 'root:x:0:0::/:/bin/sh' > etc/passwd`,
    ...(userName === undefined ? [] : [`echo '${userName}:x:${user}:${group}::/:/bin/sh' >> etc/passwd`]),
    ...Object.entries(programs).map(([program, file]) => `cp '${file}' usr/local/bin/${program}`),
    ...mounts.toSorted((a, b) => a.target.length - b.target.length).flatMap(mountLines),
    'mount -o remount,ro,bind .',
    `exec chroot . setpriv --reuid ${user} --regid ${group} --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$@"`,
  ];
  return `${lines.join('\n')}\n`;
}

function mountLines({ source, target, readOnly }: SandboxMount): string[] {
  const at = `.${target}`;
  return [
    `mkdir -p ${at}`,
    `mount --bind ${source} ${at}`,
    ...(readOnly ? [`mount -o remount,ro,bind ${at}`] : []),
  ];
}
