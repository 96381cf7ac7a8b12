/**
 * Builds the modules of the policy engine into policy-engine/modules with their lock file, or with `--verify` builds
 * them and compares: the same source, toolchain and versions have to give the same bytes.
 *
 *   node hack/policy-engine/build.ts [--verify]
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

import {
  modulesFolder,
  policyLanguages,
  readLock,
  readModule,
} from '../../src/policy/evaluation/wasm-modules.ts';
import type { ModulesLock, PolicyLanguage } from '../../src/policy/evaluation/wasm-modules.ts';
import { goToolchainReady } from '../stack/build/toolchain.ts';
import type { Go } from '../stack/build/toolchain.ts';
import { run } from '../stack/process/run.ts';
import { goToolchain } from '../stack/versions.ts';
import { boundModule } from './wasm-module.ts';

/** Pages of 64 KiB: 512 MiB, beyond which an evaluation ends. */
const maxPages = 8192;
const sourceFolder = fileURLToPath(new URL('../../policy-engine/', import.meta.url));
const evaluatorModules = ['cuelang.org/go', 'github.com/open-policy-agent/opa'];
const compress = promisify(brotliCompress);

async function buildModule(go: Go, language: PolicyLanguage, scratch: string): Promise<Buffer> {
  const out = join(scratch, `${language}.wasm`);
  const args = ['build', '-trimpath', '-buildvcs=false', '-buildmode=c-shared'];
  await run(
    'nice',
    ['-n', '5', go.program, ...args, '-ldflags', '-s -w -buildid=', '-o', out, `./${language}`],
    {
      cwd: sourceFolder,
      env: {
        ...go.env,
        GOOS: 'wasip1',
        GOARCH: 'wasm',
        GOWASM: '',
        GOEXPERIMENT: '',
        GODEBUG: '',
        GOENV: 'off',
      },
    },
  );
  return boundModule(await readFile(out), maxPages);
}

async function versionsOf(go: Go): Promise<Record<string, string>> {
  const format = '{{.Path}} {{.Version}}';
  const listed = await run(go.program, ['list', '-m', '-f', format, ...evaluatorModules], {
    cwd: sourceFolder,
    env: go.env,
  });
  const versions: Record<string, string> = {};
  for (const line of listed.trim().split('\n')) {
    const [path = '', version = ''] = line.split(' ');
    versions[path] = version;
  }
  return versions;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function write(language: PolicyLanguage, module: Buffer): Promise<ModulesLock['modules']['cue']> {
  const compressed = await compress(module, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: module.length,
    },
  });
  const file = `${language}.wasm.br`;
  await writeFile(new URL(file, modulesFolder), compressed);
  return { file, sha256: sha256(module), bytes: module.length, compressedBytes: compressed.length };
}

/** Says what differs from the committed module; true if nothing does. */
async function verify(language: PolicyLanguage, module: Buffer): Promise<boolean> {
  const built = sha256(module);
  const committed = sha256(await readModule(language, modulesFolder));
  console.log(
    `${language}: built ${built}, committed ${committed}: ${built === committed ? 'same' : 'DIFFERENT'}`,
  );
  return built === committed;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { verify: { type: 'boolean', default: false } } });
  const go = await goToolchainReady();
  const scratch = await mkdtemp(join(tmpdir(), 'policy-engine-'));
  try {
    const built = {
      cue: await buildModule(go, 'cue', scratch),
      rego: await buildModule(go, 'rego', scratch),
    };
    const versions = await versionsOf(go);
    if (values.verify) {
      const lock = await readLock(modulesFolder);
      const same = await Promise.all(policyLanguages.map((language) => verify(language, built[language])));
      const sameVersions =
        JSON.stringify([lock.go, lock.versions]) === JSON.stringify([goToolchain.version, versions]);
      if (!sameVersions) console.log('lock.json names other versions than go.mod and the toolchain');
      process.exitCode = sameVersions && same.every(Boolean) ? 0 : 1;
      return;
    }
    await mkdir(modulesFolder, { recursive: true });
    const modules = { cue: await write('cue', built.cue), rego: await write('rego', built.rego) };
    const lock: ModulesLock = { go: goToolchain.version, versions, modules };
    await writeFile(new URL('lock.json', modulesFolder), `${JSON.stringify(lock, undefined, 2)}\n`);
    console.log(JSON.stringify(lock, undefined, 2));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

await main();
