import { readFile, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { inState } from '../paths.ts';
import { run } from '../process/run.ts';
import { containerdSocket, ctr } from './containerd.ts';

const rounds = 50;
const pauseMilliseconds = 200;

/** Ends every container of the node; they would outlive containerd. Throws if some stay. */
export async function endContainers(): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    // Where containerd is gone already there is nothing to ask.
    const tasks = (await ctr('tasks', 'ls', '-q').catch(() => '')).split('\n').filter(Boolean);
    if (tasks.length === 0) return;
    // containerd itself removes some of them meanwhile.
    for (const task of tasks) await ctr('tasks', 'rm', '--force', task).catch(() => undefined);
    await sleep(pauseMilliseconds);
  }
  throw new Error(`containers of the node do not end; ctr --address ${containerdSocket} shows them`);
}

/** The mount points below a folder, the deepest first. */
export function mountsBelow(folder: string, mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((place) => place.startsWith(`${folder}/`))
    .sort()
    .reverse();
}

async function removeControlGroups(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeControlGroups(join(folder, entry.name));
  await rmdir(folder).catch(() => undefined);
}

/** Unmounts and removes what the node wrote, but for the images that it has pulled. */
export async function releaseFolders(): Promise<void> {
  const mounts = mountsBelow(inState('node'), await readFile('/proc/self/mountinfo', 'utf8'));
  for (const place of mounts) await run('umount', ['--lazy', place]);
  for (const name of ['kubelet', 'pod-logs', 'addresses', 'containerd-state'])
    await rm(inState('node', name), { recursive: true, force: true });
  const controllers = await readdir('/sys/fs/cgroup').catch(() => []);
  for (const controller of controllers)
    await removeControlGroups(join('/sys/fs/cgroup', controller, 'kubepods'));
  await removeControlGroups('/sys/fs/cgroup/kubepods');
}
