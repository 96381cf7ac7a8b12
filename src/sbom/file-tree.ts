import { joinLayerPath, normaliseLayerPath, splitLayerPath } from './layer-path.ts';

/** What one cataloguer's rule read in a file: a fact, or why there is none. */
export type FileFact =
  { readonly rule: number; readonly fact: unknown } | { readonly rule: number; readonly gap: string };

/** What is known of a file, by cataloguer. */
export type FileFacts = Readonly<Record<string, FileFact>>;

interface TreeNode {
  children: Map<string, TreeNode> | undefined;
  /** Layer that set `link` or `facts`. */
  layer: number;
  link: string | undefined;
  facts: FileFacts | undefined;
}

/** One remembered member of the image: a symlink, or a file with facts. */
export interface TreeEntry {
  readonly path: string;
  readonly layer: number;
  readonly link: string | undefined;
  readonly facts: FileFacts | undefined;
}

/** Symlinks followed for one path, and the longest path they may lead to. */
const maxHops = 255;
const maxResolvedLength = 16_384;

/**
 * The merged image as far as it matters: files with facts, and symlinks. Files that nobody wants are not in it, so
 * that its size depends on the packages, not on the image. Paths are normalised and mean the entry itself, with the
 * symlinks on the way to it resolved.
 */
export class FileTree {
  readonly #root: TreeNode = newNode();
  /** The directory that was resolved last: members come directory by directory. */
  #cached: { readonly from: string; readonly path: string; readonly node: TreeNode | undefined } | undefined;

  /** `path` with symlinks in its directory part resolved inside the root; undefined in a loop. */
  resolveParent(path: string): string | undefined {
    const { directory, base } = splitLayerPath(path);
    const parent = this.#resolveDirectory(directory);
    return parent === undefined ? undefined : joinLayerPath(parent.path, base);
  }

  /** `path` with all symlinks resolved, its last part too; undefined in a loop. */
  resolve(path: string): string | undefined {
    return this.#resolveDirectory(path)?.path;
  }

  /** The entry exactly at `path`. */
  find(path: string): TreeEntry | undefined {
    const node = this.#node(path);
    return node === undefined || isBare(node) ? undefined : entryOf(path, node);
  }

  /**
   * Makes room for something that is no directory: whatever is at and below `path` goes. True if that held anything
   * of a layer below `layer`.
   */
  clear(path: string, layer: number): boolean {
    const { directory, base } = splitLayerPath(path);
    const parent = this.#exactNode(directory);
    const node = parent?.children?.get(base);
    if (parent === undefined || node === undefined) return false;
    const hadLower = hasLower(node, layer);
    parent.children?.delete(base);
    this.#cached = undefined;
    return hadLower;
  }

  /** Makes room for a directory: a symlink or file at `path` itself goes. True if it was of a layer below `layer`. */
  clearNonDirectory(path: string, layer: number): boolean {
    const node = this.#node(path);
    if (node === undefined || isBare(node)) return false;
    node.link = node.facts = undefined;
    this.#cached = undefined;
    return node.layer < layer;
  }

  /** Makes room below: what `path` lies in is a directory, whatever was said of it. Gives paths that lose lower facts. */
  clearFilesAbove(path: string, layer: number): readonly string[] {
    const cleared: string[] = [];
    let node: TreeNode | undefined = this.#root;
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      node = node.children?.get(path.slice(path.lastIndexOf('/', at - 1) + 1, at));
      if (node === undefined) break;
      if (node.facts !== undefined && node.layer < layer) cleared.push(path.slice(0, at));
      node.facts = undefined;
    }
    return cleared;
  }

  /** Deletes what layers below `layer` put at and below `path`. True if that was anything. */
  clearLower(path: string, layer: number): boolean {
    const node = this.#node(path);
    if (node === undefined) return false;
    this.#cached = undefined;
    return this.#pruneLower(node, layer);
  }

  /** Deletes what layers below `layer` put below `path`. True if that was anything. */
  clearLowerContent(path: string, layer: number): boolean {
    const node = this.#node(path);
    if (node === undefined) return false;
    this.#cached = undefined;
    return this.#pruneLowerChildren(node, layer);
  }

  /** Remembers a symlink; `clear` came before. */
  setLink(path: string, target: string, layer: number): void {
    const node = this.#ensure(path);
    node.link = target;
    node.layer = layer;
  }

  /** Remembers facts of a file; `clear` came before. */
  setFacts(path: string, facts: FileFacts, layer: number): void {
    const node = this.#ensure(path);
    node.facts = facts;
    node.layer = layer;
  }

  /** Every entry, directories in no particular order. */
  *entries(): Generator<TreeEntry> {
    const pending: [string, TreeNode][] = [['', this.#root]];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const [path, node] = next;
      if (!isBare(node)) yield entryOf(path, node);
      for (const [base, child] of node.children ?? []) pending.push([joinLayerPath(path, base), child]);
    }
  }

  #pruneLower(node: TreeNode, layer: number): boolean {
    const isOwn = !isBare(node) && node.layer < layer;
    if (isOwn) node.link = node.facts = undefined;
    return this.#pruneLowerChildren(node, layer) || isOwn;
  }

  #pruneLowerChildren(node: TreeNode, layer: number): boolean {
    let removed = false;
    for (const [base, child] of node.children ?? []) {
      if (this.#pruneLower(child, layer)) removed = true;
      if (isBare(child) && (child.children?.size ?? 0) === 0) node.children?.delete(base);
    }
    return removed;
  }

  #exactNode(path: string): TreeNode | undefined {
    if (this.#cached?.path === path) return this.#cached.node;
    return this.#node(path);
  }

  #node(path: string): TreeNode | undefined {
    if (path === '') return this.#root;
    let node: TreeNode | undefined = this.#root;
    for (const part of path.split('/')) {
      node = node.children?.get(part);
      if (node === undefined) return undefined;
    }
    return node;
  }

  #ensure(path: string): TreeNode {
    this.#cached = undefined;
    let node = this.#root;
    for (const part of path.split('/')) {
      node.children ??= new Map();
      let child = node.children.get(part);
      if (child === undefined) node.children.set(part, (child = newNode()));
      node = child;
    }
    return node;
  }

  #resolveDirectory(
    from: string,
  ): { readonly path: string; readonly node: TreeNode | undefined } | undefined {
    if (this.#cached?.from === from) return this.#cached;
    const found = this.#walk(from);
    if (found !== undefined) this.#cached = { from, ...found };
    return found;
  }

  #walk(from: string): { readonly path: string; readonly node: TreeNode | undefined } | undefined {
    let path = from;
    for (let hops = 0; hops <= maxHops && path.length <= maxResolvedLength; hops += 1) {
      const step = this.#followFirstLink(path);
      if (!('next' in step)) return { path, node: step.node };
      path = step.next;
    }
    return undefined;
  }

  /** The path with its first symlink replaced, or the node at the path if there is none on the way. */
  #followFirstLink(path: string): { readonly next: string } | { readonly node: TreeNode | undefined } {
    if (path === '') return { node: this.#root };
    const parts = path.split('/');
    let node: TreeNode = this.#root;
    for (const [index, part] of parts.entries()) {
      const child = node.children?.get(part);
      if (child === undefined) return { node: undefined };
      if (child.link !== undefined) {
        const rest = parts.slice(index + 1).join('/');
        const base = child.link.startsWith('/') ? '' : parts.slice(0, index).join('/');
        return { next: normaliseLayerPath(`${base}/${child.link}/${rest}`) };
      }
      node = child;
    }
    return { node };
  }
}

function newNode(): TreeNode {
  return { children: undefined, layer: 0, link: undefined, facts: undefined };
}

function isBare(node: TreeNode): boolean {
  return node.link === undefined && node.facts === undefined;
}

function entryOf(path: string, node: TreeNode): TreeEntry {
  return { path, layer: node.layer, link: node.link, facts: node.facts };
}

function hasLower(node: TreeNode, layer: number): boolean {
  if (!isBare(node) && node.layer < layer) return true;
  for (const child of node.children?.values() ?? []) if (hasLower(child, layer)) return true;
  return false;
}
