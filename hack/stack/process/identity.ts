import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { inState } from '../paths.ts';

/** A process that we started. Its start time tells it from a stranger that got the same pid later. */
export interface Identity {
  readonly pid: number;
  readonly startTime: string;
}

/** A running process of a server, and a digest of the command that started it. */
export interface Running extends Identity {
  readonly command: string;
}

/** The kernel's start time of a process, in ticks since boot; undefined if there is none (or a dead one not yet reaped). */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The command's name stands in parentheses and may hold anything; the fields after it are: state, ppid, ...
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const threads = Number(fields[17]);
  // A dead process that nobody has reaped yet is gone once its last thread is: until then its ports are taken.
  if (state === 'X' || (state === 'Z' && threads <= 1)) return undefined;
  return fields[19];
}

/** True while that very process lives. */
export async function isAlive(identity: Identity): Promise<boolean> {
  return (await startTimeOf(identity.pid)) === identity.startTime;
}

function fileOf(server: string): string {
  return inState('run', `${server}.json`);
}

function isRunning(value: unknown): value is Running {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'startTime' in value &&
    typeof value.startTime === 'string' &&
    'command' in value &&
    typeof value.command === 'string'
  );
}

/** The process noted for a server, if it still lives. */
export async function runningProcess(server: string): Promise<Running | undefined> {
  try {
    const noted: unknown = JSON.parse(await readFile(fileOf(server), 'utf8'));
    return isRunning(noted) && (await isAlive(noted)) ? noted : undefined;
  } catch {
    return undefined;
  }
}

/** Notes the process of a server. */
export async function noteProcess(server: string, running: Running): Promise<void> {
  await mkdir(dirname(fileOf(server)), { recursive: true });
  await writeFile(`${fileOf(server)}.new`, JSON.stringify(running));
  await rename(`${fileOf(server)}.new`, fileOf(server));
}

/** Forgets the process of a server. */
export async function forgetProcess(server: string): Promise<void> {
  await rm(fileOf(server), { force: true });
}

/** The names of all servers that a process is noted for, even those that today's table doesn't know any more. */
export async function notedServers(): Promise<string[]> {
  const files = await readdir(inState('run')).catch(() => []);
  return files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
}
