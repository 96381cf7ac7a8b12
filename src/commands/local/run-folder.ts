import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { watch } from 'chokidar';
import type { FSWatcher } from 'chokidar';
import { AppError, messageOf } from '../../model/errors.ts';

const extensions = new Set(['.yaml', '.yml', '.json']);
const maxDepth = 8;

/** What is told of the files of a folder. */
export interface FolderListener {
  /** A file is new or changed, or was there when watching began. */
  readonly onFile: (file: string) => void;
  readonly onGone: (file: string) => void;
  readonly onFault: (error: unknown) => void;
}

/** A folder with files that hold TaskRuns: `.yaml`, `.yml` and `.json`, also in folders below; names with a leading dot are left out. */
export class RunFolder {
  readonly #folder: string;
  readonly #excluded: readonly string[];

  /** `excluded` are folders below that hold something else: absolute paths, as is `folder`. */
  constructor(folder: string, excluded: readonly string[]) {
    this.#folder = folder;
    this.#excluded = excluded;
  }

  /** The files that are there now, sorted by name. Throws ERR_USAGE_FOLDER. */
  async list(): Promise<readonly string[]> {
    try {
      const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((file) => this.#isWanted(file))
        .sort();
    } catch (error) {
      throw new AppError('ERR_USAGE_FOLDER', `${this.#folder} cannot be read: ${messageOf(error)}`, {
        kind: 'permanent',
        object: this.#folder,
        remedy: 'Name a readable folder in --taskruns.',
        cause: error,
      });
    }
  }

  /** Watches until it is disposed; resolves once everything that is there was told. Throws ERR_USAGE_FOLDER. */
  async watch(
    listener: FolderListener,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<AsyncDisposable> {
    await this.list();
    const watcher = watch(this.#folder, {
      backend: 'native',
      depth: maxDepth,
      // A rename over a file is one change, not a loss and a find.
      atomic: true,
      ignored: (path, stats) => this.#isIgnored(path) || (stats?.isFile() === true && !this.#isWanted(path)),
    });
    watcher.on('add', listener.onFile).on('change', listener.onFile).on('unlink', listener.onGone);
    watcher.on('error', listener.onFault);
    const closing = { [Symbol.asyncDispose]: () => close(watcher) };
    try {
      await once(watcher, 'ready', { signal });
    } catch (error) {
      await close(watcher);
      throw error;
    }
    return closing;
  }

  #isWanted(file: string): boolean {
    return extensions.has(extname(file)) && !this.#isIgnored(file);
  }

  #isIgnored(path: string): boolean {
    const parts = relative(this.#folder, path).split(sep);
    return (
      parts.some((part) => part.startsWith('.') && part !== '..') ||
      this.#excluded.some((folder) => path === folder || path.startsWith(`${folder}${sep}`))
    );
  }
}

async function close(watcher: FSWatcher): Promise<void> {
  await watcher.close();
}
