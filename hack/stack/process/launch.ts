import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, statSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';

import { inState } from '../paths.ts';
import { noteProcess, startTimeOf } from './identity.ts';
import type { Running } from './identity.ts';

/** How a server is started. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Text without which the command would be the same though the server must be restarted: its configuration. */
  readonly configuration?: string;
}

/** The log file of a server. */
export function logFile(server: string): string {
  return inState('logs', `${server}.log`);
}

/** A digest by which a changed command or configuration is noticed, and a program that was built anew. */
export function commandDigest(command: Command): string {
  const program = statSync(command.file, { throwIfNoEntry: false });
  const identity = JSON.stringify([command, program?.ino, program?.mtimeMs]);
  return createHash('sha256').update(identity).digest('hex');
}

/** Starts a server that outlives this script, with its output appended to its log. */
export async function launch(server: string, command: Command): Promise<Running> {
  await mkdir(inState('logs'), { recursive: true });
  await mkdir(inState('home'), { recursive: true });
  const log = openSync(logFile(server), 'a');
  // The servers speak to loopback only: no proxy settings and nothing else of the caller's environment reaches them.
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: inState('home'), ...command.env };
  const child = spawn(command.file, command.args, {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: inState(),
    env,
  });
  closeSync(log);
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      resolve(child.pid ?? 0);
    });
  });
  child.unref();
  const startTime = await startTimeOf(pid);
  const running = { pid, startTime: startTime ?? 'gone', command: commandDigest(command) };
  await noteProcess(server, running);
  return running;
}

/** The last lines of a server's log, for error messages. */
export async function logTail(server: string, lines = 15): Promise<string> {
  try {
    const text = await readFile(logFile(server), 'utf8');
    return text.trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}
