/** Settings as plain data, before they are checked. */
export type Tree = Record<string, unknown>;

// A key is named by a file or by a Secret: a stronger source that names one replaces the other whole.
const wholes: ReadonlySet<string> = new Set(['signer.key', 'signer.fulcio.serviceAccount']);

/** True for an object that is no array. */
function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at `path` in plain data, undefined where there is none. */
export function valueAt(input: unknown, path: readonly string[]): unknown {
  let current = input;
  for (const name of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, name)) return undefined;
    current = (current as Tree)[name];
  }
  return current;
}

/** Sets `value` at a dotted path, making the objects on the way. */
export function setAt(target: Tree, path: string, value: unknown): void {
  const names = path.split('.');
  const last = names.pop() ?? path;
  let current = target;
  for (const name of names) {
    current[name] ??= {};
    current = current[name] as Tree;
  }
  current[last] = value;
}

/**
 * Dotted paths of the values that merge one by one. Lists, and what is listed as a whole above, count as one value;
 * `undefined` counts as absent.
 */
export function leafPaths(tree: unknown, prefix = ''): readonly string[] {
  if (tree === undefined) return [];
  if (!isTree(tree) || wholes.has(prefix)) return [prefix];
  return Object.entries(tree).flatMap(([name, value]) =>
    leafPaths(value, prefix === '' ? name : `${prefix}.${name}`),
  );
}

/** True if `tree` says something about `path`, a part of it, or all of what it lies in. */
export function speaksOf(tree: unknown, path: string): boolean {
  return leafPaths(tree).some(
    (leaf) => leaf === path || leaf.startsWith(`${path}.`) || path.startsWith(`${leaf}.`),
  );
}

/** One tree of all, later ones winning value by value. */
export function mergeTrees(trees: readonly unknown[]): Tree {
  const merged: Tree = {};
  for (const tree of trees) {
    for (const path of leafPaths(tree)) setAt(merged, path, valueAt(tree, path.split('.')));
  }
  return merged;
}

/** Freezes plain data to its depth and gives it back. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach((part: unknown) => deepFreeze(part));
    Object.freeze(value);
  }
  return value;
}
