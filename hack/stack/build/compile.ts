import { chmod, cp, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from '../process/run.ts';
import type { Component } from '../component.ts';
import type { Go } from './toolchain.ts';

/** The folder of our own go.mod files. */
export const modulesFolder: string = join(import.meta.dirname, '../modules');

function linkerFlags(component: Component): string {
  const variables = component.kind === 'own-module' ? (component.linkerVariables ?? {}) : {};
  return ['-s', '-w', ...Object.entries(variables).map(([name, value]) => `-X ${name}=${value}`)].join(' ');
}

/** Builds are the long work of the stack, and nobody's machine should stall for them. */
async function goBuild(
  go: Go,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = go.env,
): Promise<void> {
  await run('nice', ['-n', '5', go.program, ...args], { cwd, env });
}

/** Where the module cache holds a module; downloads it if need be. */
export async function moduleFolder(go: Go, module: string, version: string, cwd: string): Promise<string> {
  const answer = await run(go.program, ['mod', 'download', '-json', `${module}@${version}`], {
    cwd,
    env: go.env,
  });
  const parsed: unknown = JSON.parse(answer);
  if (typeof parsed === 'object' && parsed !== null && 'Dir' in parsed && typeof parsed.Dir === 'string')
    return parsed.Dir;
  throw new Error(`the Go toolchain told no folder for ${module}@${version}`);
}

/** The module cache is read-only, and so is a copy of it, until told otherwise. */
async function copyWritable(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  await chmod(to, 0o755);
  for (const entry of await readdir(to, { withFileTypes: true, recursive: true })) {
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  }
}

async function installed(
  go: Go,
  component: Component & { kind: 'install' },
  scratch: string,
  out: string,
): Promise<void> {
  const bin = join(scratch, 'bin');
  const tags = component.tags === undefined ? [] : [`-tags=${component.tags}`];
  await goBuild(
    go,
    [
      'install',
      ...tags,
      '-trimpath',
      '-ldflags',
      linkerFlags(component),
      `${component.package}@${component.version}`,
    ],
    scratch,
    { ...go.env, GOBIN: bin },
  );
  const [built] = await readdir(bin);
  if (built === undefined) throw new Error(`go install built nothing for ${component.name}`);
  await rename(join(bin, built), join(out, component.name));
}

/**
 * Makes a component in the folder `out`: its program under the component's name, or its files. `scratch` is an
 * empty folder that the caller removes.
 */
export async function compile(go: Go, component: Component, scratch: string, out: string): Promise<void> {
  await mkdir(out, { recursive: true });
  if (component.kind === 'install') {
    await installed(go, component, scratch, out);
    return;
  }

  if (component.kind === 'files') {
    const source = await moduleFolder(go, component.module, component.version, scratch);
    await copyWritable(join(source, component.path), join(out, component.name));
    return;
  }

  const source = join(scratch, 'source');
  if (component.kind === 'own-module')
    await cp(join(modulesFolder, component.folder), source, { recursive: true });
  else await copyWritable(await moduleFolder(go, component.module, component.version, scratch), source);
  await goBuild(
    go,
    [
      'build',
      '-mod=mod',
      '-trimpath',
      '-ldflags',
      linkerFlags(component),
      '-o',
      join(out, component.name),
      component.package,
    ],
    source,
  );
}
