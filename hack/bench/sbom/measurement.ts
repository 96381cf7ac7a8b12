import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What one run of a program needed, all its processes together. */
export interface Measurement {
  readonly wallSeconds: number;
  /** User and system. */
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  /** Most bytes that lay in its folder for temporary files. */
  readonly temporaryBytes: number;
}

const timeProgram = '/usr/bin/time';
const pollMilliseconds = 200;
const longestRunMilliseconds = 10 * 60_000;

/** Runs a program to its end with standard output in a file, and measures it. A failure or a run over ten minutes throws. */
export async function measure(command: readonly string[], output: string): Promise<Measurement> {
  const folder = await mkdtemp(join(tmpdir(), 'chainwright-bench-'));
  const temporary = join(folder, 'temporary');
  const usage = join(folder, 'usage');
  const complaints = join(folder, 'complaints');
  await using into = await open(output, 'w');
  await using errors = await open(complaints, 'w');
  await mkdir(temporary);
  try {
    const child = spawn(timeProgram, ['-f', '%e %U %S %M', '-o', usage, ...command], {
      stdio: ['ignore', into.fd, errors.fd],
      env: { ...process.env, TMPDIR: temporary, SYFT_CHECK_FOR_APP_UPDATE: 'false' },
      timeout: longestRunMilliseconds,
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const poll = watchSize(temporary, ended);
    const code = await ended;
    if (code !== 0)
      throw new Error(
        `${command.join(' ')} failed (${String(code)}):\n${await readFile(complaints, 'utf8')}`,
      );
    const [wall = NaN, user = NaN, system = NaN, kibibytes = NaN] = (await readFile(usage, 'utf8'))
      .trim()
      .split(' ')
      .map(Number);
    return {
      wallSeconds: wall,
      cpuSeconds: user + system,
      peakRssBytes: kibibytes * 1024,
      temporaryBytes: await poll,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function watchSize(folder: string, ended: Promise<unknown>): Promise<number> {
  let most = 0;
  const done = ended.then(
    () => true,
    () => true,
  );
  do most = Math.max(most, await sizeOf(folder));
  while (!(await Promise.race([done, sleep(pollMilliseconds, false)])));
  return most;
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(entries.map((name) => stat(join(folder, name)).catch(() => undefined)));
  return sizes.reduce((sum, one) => sum + (one?.isFile() === true ? one.blocks * 512 : 0), 0);
}
