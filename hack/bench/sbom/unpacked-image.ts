import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { run } from '../../stack/process/run.ts';
import type { CachedImage } from './image-cache.ts';
import { blobPath } from './image-builder.ts';

const opaque = '.wh..wh..opq';
const packers = { '+gzip': '--gzip', '+zstd': '--zstd', '': '' } as const;

/**
 * An image unpacked by GNU tar and plain file operations, layer on layer: nothing here shares code with what is measured.
 * Removed when disposed of.
 */
export class UnpackedImage implements AsyncDisposable {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  static async open({ layout, image }: CachedImage): Promise<UnpackedImage> {
    const unpacked = new UnpackedImage(await mkdtemp(join(tmpdir(), 'chainwright-bench-root-')));
    for (const { digest, mediaType } of image.layers) {
      const suffix = /\.tar(.*)$/.exec(mediaType)?.[1] ?? '';
      const packer = packers[suffix as keyof typeof packers];
      await unpacked.#apply(join(layout, blobPath(digest)), packer === '' ? [] : [packer]);
    }
    return unpacked;
  }

  /** Paths of files for which `find` holds, without leading slash. */
  async find(...condition: readonly string[]): Promise<string[]> {
    const found = await run('find', [this.root, ...condition, '-printf', '%P\\n']);
    return found.split('\n').filter((path) => path !== '');
  }

  async #apply(blob: string, packer: readonly string[]): Promise<void> {
    const listed = await run('tar', ['-tf', blob, ...packer, '--quoting-style=literal']);
    const names = listed.split('\n').map((name) => name.replace(/^\.\//, ''));
    for (const name of names.filter((one) => basename(one).startsWith('.wh.'))) await this.#whiteOut(name);
    // Tar does not put a file where a folder is; a layer does.
    const folders = new Set(await this.find('-mindepth', '1', '-type', 'd'));
    for (const name of names.filter((one) => folders.has(one)))
      await rm(join(this.root, name), { recursive: true });
    await run('tar', [
      '-xpf',
      blob,
      ...packer,
      '-C',
      this.root,
      '--numeric-owner',
      '--keep-directory-symlink',
      '--exclude=.wh.*',
    ]);
  }

  async #whiteOut(mark: string): Promise<void> {
    const folder = join(this.root, dirname(mark));
    if (basename(mark) !== opaque) {
      await rm(join(folder, basename(mark).slice('.wh.'.length)), { recursive: true, force: true });
      return;
    }
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}
