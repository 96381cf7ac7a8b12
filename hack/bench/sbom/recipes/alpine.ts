import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtPath, ensureBuilt } from '../../../stack/build/binaries.ts';
import { moduleFolder } from '../../../stack/build/compile.ts';
import { goToolchainReady } from '../../../stack/build/toolchain.ts';
import { run } from '../../../stack/process/run.ts';
import { componentNamed } from '../../../stack/versions.ts';
import type { Recipe } from '../recipe.ts';

/** This module's test data holds the signed index of Alpine 3.17's main repository, and a few of its packages. */
const source = { module: 'github.com/chainguard-dev/go-apk', version: 'v0.0.0-20240605175618-f3471089c263' };
const base = ['alpine-base'];
const added = [
  'nginx',
  'git',
  'python3',
  'postgresql14',
  'php81',
  'openssh',
  'curl',
  'bash',
  'ruby',
  'ffmpeg',
];
const removed = ['ruby', 'bash'];

/** One record of the index: what `apk add` copies into the database of installed packages. */
interface IndexEntry {
  readonly name: string;
  readonly text: string;
  readonly needs: readonly string[];
  readonly provides: readonly string[];
}

/**
 * Alpine's records without Alpine's files: the index is public, the packages' mirror is not served to every machine that
 * runs this. What is installed is worked out from the index as apk does, and the database has apk's own form.
 */
export const alpine: Recipe = {
  name: 'alpine',
  revision: 1,
  about: "Alpine 3.17 database of the public index's records, and a Go program",
  build: async ({ image, scratch }) => {
    await image.start();
    const folder = join(
      await moduleFolder(await goToolchainReady(), source.module, source.version, scratch),
      'pkg/apk/testdata/alpine-317',
    );
    await run('tar', [
      '-xzf',
      join(folder, 'alpine-baselayout-3.4.0-r0.apk'),
      '-C',
      image.root,
      '--warning=no-unknown-keyword',
      '--exclude=.[A-Z]*',
      '--exclude=.p*',
    ]);
    const index = readIndex(await run('tar', ['-xzOf', join(folder, 'APKINDEX.tar.gz'), 'APKINDEX']));
    const write = async (wanted: readonly string[]): Promise<void> => {
      const database = join(image.root, 'lib/apk/db');
      await mkdir(database, { recursive: true });
      await writeFile(
        join(database, 'installed'),
        closureOf(index, wanted)
          .map((entry) => `${recordOf(entry)}\n\n`)
          .join(''),
      );
    };
    await mkdir(join(image.root, 'etc'), { recursive: true });
    await writeFile(
      join(image.root, 'etc/os-release'),
      'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.17.10\nPRETTY_NAME="Alpine Linux v3.17"\n',
    );
    await write(base);
    await image.commit({ compression: 'gzip', archive: 'pax' });
    await write([...base, ...added]);
    await image.commit({ compression: 'gzip', archive: 'pax' });
    const program = componentNamed('crane');
    await ensureBuilt([program]);
    await mkdir(join(image.root, 'usr/local/bin'), { recursive: true });
    await run('cp', [builtPath(program), join(image.root, 'usr/local/bin/crane')]);
    await chmod(join(image.root, 'usr/local/bin/crane'), 0o755);
    await write([...base, ...added.filter((name) => !removed.includes(name))]);
    await image.commit({ compression: 'zstd', archive: 'gnu' });
  },
};

function readIndex(text: string): readonly IndexEntry[] {
  const words = (line: string | undefined): string[] => (line ?? '').slice(2).split(' ').filter(Boolean);
  return text
    .split('\n\n')
    .filter((one) => one.trim() !== '')
    .map((record) => {
      const lines = record.trim().split('\n');
      const field = (key: string): string | undefined => lines.find((line) => line.startsWith(`${key}:`));
      const name = field('P')?.slice(2) ?? '';
      return {
        name,
        text: record.trim(),
        needs: words(field('D')),
        provides: [name, ...words(field('p')).map(bare)],
      };
    });
}

/** Everything that `wanted` needs, by the index's own dependencies. */
function closureOf(index: readonly IndexEntry[], wanted: readonly string[]): readonly IndexEntry[] {
  const found = new Map<string, IndexEntry>();
  const queue = [...wanted];
  for (let need = queue.shift(); need !== undefined; need = queue.shift()) {
    if (need.startsWith('!')) continue;
    const name = bare(need);
    const entry = index.find((one) => one.name === name) ?? index.find((one) => one.provides.includes(name));
    if (entry === undefined || found.has(entry.name)) continue;
    found.set(entry.name, entry);
    queue.push(...entry.needs);
  }
  return [...found.values()];
}

/** The record, with the files that its commands are. */
function recordOf({ text, provides }: IndexEntry): string {
  const commands = provides.filter((one) => one.startsWith('cmd:')).map((one) => `R:${one.slice(4)}`);
  return commands.length === 0 ? text : [text, 'F:usr', 'F:usr/bin', ...commands].join('\n');
}

function bare(need: string): string {
  return need.split(/[<>=~]/)[0] ?? need;
}
