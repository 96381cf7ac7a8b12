import type { CatalogueView, FoundFile } from '../cataloguer.ts';
import type { NpmFolderLock, NpmLockEntry, NpmVersionLock } from './npm-lock-file.ts';
import type { NpmManifest } from './npm-manifest.ts';

/** What a file says about npm packages. */
export type NpmFact = NpmManifest | NpmFolderLock | NpmVersionLock;

const modules = 'node_modules';

/** Where a manifest lies: an installed package's folder, a folder inside one, or a project of its own. */
export type NpmPlacement = 'installed' | 'vendored' | 'project';

/** The folder of a file. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Tells the placement by the manifest's folder. */
export function placementOf(folder: string): NpmPlacement {
  const parts = folder.split('/');
  const at = parts.lastIndexOf(modules);
  if (at < 0) return 'project';
  const below = parts.length - at - 1;
  const isScoped = parts[at + 1]?.startsWith('@') === true;
  return below === (isScoped ? 2 : 1) ? 'installed' : 'vendored';
}

/** The manifest that `require(name)` in `folder` finds: Node looks into node_modules of each folder upwards. */
export function resolveDependency(
  view: CatalogueView<NpmFact>,
  folder: string,
  name: string,
): NpmManifest | undefined {
  let base = folder;
  for (;;) {
    if (base !== modules && !base.endsWith(`/${modules}`)) {
      const found = view.find(`${base === '' ? '' : `${base}/`}${modules}/${name}/package.json`);
      if (found?.fact.kind === 'manifest') return found.fact;
    }
    if (base === '') return undefined;
    base = folderOf(base);
  }
}

/** What the image's lock files say, indexed for lookup by installed package. */
export class NpmLocks {
  readonly #byFolder = new Map<string, NpmLockEntry>();
  readonly #byVersion = new Map<string, Readonly<Record<string, NpmLockEntry>>[]>();

  constructor(files: readonly FoundFile<NpmFact>[]) {
    // Ordered by path, `node_modules/.package-lock.json` stands before `package-lock.json`: the first, which npm
    // wrote when it installed, wins.
    for (const { path, fact } of files) {
      if (fact.kind === 'folders') this.#addFolders(projectOf(path), fact.entries);
      else if (fact.kind === 'versions') {
        const project = projectOf(path);
        this.#byVersion.set(project, [...(this.#byVersion.get(project) ?? []), fact.entries]);
      }
    }
  }

  /** The entry for a package in `folder`, if a lock file names just this version. */
  find(folder: string, manifest: NpmManifest): NpmLockEntry | undefined {
    const placed = this.#byFolder.get(folder);
    if (placed !== undefined && placed.version === manifest.version) return placed;
    const key = `${manifest.name}@${manifest.version ?? ''}`;
    let base = folder;
    while (base !== '' && this.#byVersion.size > 0) {
      base = folderOf(base);
      const entry = this.#byVersion.get(base)?.find((entries) => Object.hasOwn(entries, key));
      if (entry !== undefined) return entry[key];
    }
    return undefined;
  }

  /** How many packages the lock files in a project's folder name that are not installed anywhere below it. */
  missingIn(project: string, installed: ReadonlySet<string>, folders: ReadonlySet<string>): number {
    const prefix = project === '' ? `${modules}/` : `${project}/${modules}/`;
    const byFolder = [...this.#byFolder].filter(
      ([folder, { scope }]) => folder.startsWith(prefix) && scope === undefined && !folders.has(folder),
    );
    const byVersion = (this.#byVersion.get(project) ?? []).flatMap((entries) =>
      Object.entries(entries).filter(([key, { scope }]) => scope === undefined && !installed.has(key)),
    );
    return byFolder.length + byVersion.length;
  }

  #addFolders(project: string, entries: Readonly<Record<string, NpmLockEntry>>): void {
    for (const [relative, entry] of Object.entries(entries)) {
      const folder = project === '' ? relative : `${project}/${relative}`;
      if (!this.#byFolder.has(folder)) this.#byFolder.set(folder, entry);
    }
  }
}

/** The project that a lock file is of: its folder, or the one that holds the node_modules it lies in. */
function projectOf(path: string): string {
  const parts = folderOf(path).split('/');
  const at = parts.lastIndexOf(modules);
  return (at < 0 ? parts : parts.slice(0, at)).join('/');
}
