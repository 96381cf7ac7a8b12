import { AppError, messageOf } from '../model/errors.ts';
import type { AnyCataloguer, CatalogueView, Distro, FoundComponent, FoundFile, Gap } from './cataloguer.ts';
import { findDistro } from './cataloguers/os-release.ts';
import { mergeComponents } from './component-merge.ts';
import { nameSuppliers } from './component-supplier.ts';
import type { FileFact, FileTree, TreeEntry } from './file-tree.ts';
import type { ImagePlatform } from './layer-source.ts';
import { normaliseLayerPath } from './layer-path.ts';

/** Everything that was found in one image. */
export interface Inventory {
  /** One for each `ref`, ordered by it. */
  readonly components: readonly FoundComponent[];
  readonly gaps: readonly Gap[];
  readonly distro: Distro | undefined;
}

/** Lets the cataloguers, in the table's order, make components of the merged image. Throws ERR_SBOM_CATALOGUER. */
export function takeInventory(
  tree: FileTree,
  cataloguers: readonly AnyCataloguer[],
  platform: ImagePlatform,
): Inventory {
  const entries = [...tree.entries()].sort((a, b) => compareText(a.path, b.path));
  const owners = new Map<string, string>();
  const distro = findDistro((path) => factAt(tree, path, 'os-release'));
  const components: FoundComponent[] = [];
  const gaps: Gap[] = [];
  for (const cataloguer of cataloguers) {
    const files = filesOf(entries, cataloguer.name, gaps);
    const found = assemble(
      cataloguer,
      makeView(tree, files, { cataloguer: cataloguer.name, platform, distro, owners }),
    );
    components.push(...found.components);
    gaps.push(...(found.gaps ?? []).map((gap) => ({ ...gap, cataloguer: cataloguer.name })));
    noteOwners(tree, found.components, owners);
  }
  return { components: nameSuppliers(mergeComponents(components)), gaps, distro };
}

/** Order of strings by code units, the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function assemble(
  cataloguer: AnyCataloguer,
  view: CatalogueView<unknown>,
): ReturnType<AnyCataloguer['assemble']> {
  try {
    return cataloguer.assemble(view);
  } catch (error) {
    throw new AppError('ERR_SBOM_CATALOGUER', `cataloguer ${cataloguer.name}: ${messageOf(error)}`, {
      kind: 'bug',
      remedy: 'Report this with the image, if it is public.',
      cause: error,
    });
  }
}

function filesOf(entries: readonly TreeEntry[], cataloguer: string, gaps: Gap[]): FoundFile<unknown>[] {
  const files: FoundFile<unknown>[] = [];
  for (const { path, layer, facts } of entries) {
    const read = facts?.[cataloguer];
    if (read === undefined) continue;
    if ('gap' in read) gaps.push({ cataloguer, path, layer, reason: read.gap });
    else files.push({ path, layer, fact: read.fact });
  }
  return files;
}

interface ViewContext {
  readonly cataloguer: string;
  readonly platform: ImagePlatform;
  readonly distro: Distro | undefined;
  readonly owners: ReadonlyMap<string, string>;
}

function makeView(
  tree: FileTree,
  files: readonly FoundFile<unknown>[],
  context: ViewContext,
): CatalogueView<unknown> {
  const { cataloguer, platform, distro, owners } = context;
  return {
    files,
    platform,
    distro,
    find: (path) => factAt(tree, path, cataloguer),
    realPath: (path) => tree.resolve(normaliseLayerPath(path)),
    ownerOf: (path) => owners.get(path),
  };
}

function factAt(tree: FileTree, path: string, cataloguer: string): FoundFile<unknown> | undefined {
  const real = tree.resolve(normaliseLayerPath(path));
  const entry = real === undefined ? undefined : tree.find(real);
  const read: FileFact | undefined = entry?.facts?.[cataloguer];
  if (entry === undefined || read === undefined || 'gap' in read) return undefined;
  return { path: entry.path, layer: entry.layer, fact: read.fact };
}

function noteOwners(
  tree: FileTree,
  components: readonly FoundComponent[],
  owners: Map<string, string>,
): void {
  for (const { ref, ownedPaths = [] } of components) {
    for (const path of ownedPaths) {
      // Databases name files as they were packed, `bin/sh`; the image has them behind links, `usr/bin/sh`.
      const parent = tree.resolveParent(normaliseLayerPath(path));
      if (parent !== undefined) owners.set(parent, ref);
    }
  }
}
