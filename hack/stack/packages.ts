import { readdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { run } from './process/run.ts';
import { debianPackages, nodePackages } from './versions.ts';
import type { DebianPackage } from './versions.ts';

const policyFile = '/usr/sbin/policy-rc.d';

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The folders that a pattern stands for: PATH, a folder, or one with a `*` for any name. */
function foldersOf(pattern: string): string[] {
  if (pattern === 'PATH') return (process.env['PATH'] ?? '').split(':');
  const [before, after] = pattern.split('/*/');
  if (before === undefined || after === undefined) return [pattern];
  // The newest first, where several versions are installed.
  return listed(before)
    .sort()
    .reverse()
    .map((name) => join(before, name, after));
}

function find(wanted: DebianPackage): string | undefined {
  for (const folder of wanted.folders.flatMap(foldersOf)) {
    const name = listed(folder).find((entry) => wanted.program.test(entry));
    if (name !== undefined) return join(folder, name);
  }
  return undefined;
}

/** The path of a package's program; the package must be installed. */
export function debianProgram(name: string): string {
  const wanted = [...debianPackages, ...nodePackages].find((entry) => entry.name === name);
  const path = wanted === undefined ? undefined : find(wanted);
  if (path === undefined) throw new Error(`the Debian package ${name} is not installed`);
  return path;
}

/** A program of PostgreSQL's own folder, which is on nobody's PATH. */
export function postgresProgram(name: string): string {
  return join(dirname(debianProgram('postgresql')), name);
}

/** A package that brings a server starts it at once, unless this file forbids it. */
async function withoutStartingServices(work: () => Promise<void>): Promise<void> {
  let ours = false;
  try {
    await writeFile(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' });
    ours = true;
  } catch {
    // There is one already, and it's not ours to change.
  }
  try {
    await work();
  } finally {
    if (ours) await rm(policyFile, { force: true });
  }
}

/** Sees to it that these Debian packages are installed. */
export async function ensurePackages(packages: readonly DebianPackage[]): Promise<void> {
  const missing = packages.filter((entry) => find(entry) === undefined).map((entry) => entry.name);
  if (missing.length === 0) return;
  process.stderr.write(`installing ${missing.join(', ')} from Debian ...\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await withoutStartingServices(async () => {
    await run('apt-get', ['update', '-qq'], { env });
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env });
  });
}
