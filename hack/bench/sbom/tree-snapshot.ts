import { posix } from 'node:path';
import { run } from '../../stack/process/run.ts';

interface Node {
  readonly isFolder: boolean;
  /** Differs if the folder was made anew. */
  readonly inode: string;
  /** Differs if anything about a file changed; a folder's changes with its members, which are compared themselves. */
  readonly state: string;
}

/** What is below a folder, by path without leading slash. */
export type Snapshot = ReadonlyMap<string, Node>;

/** Reads names and change times of a tree; other file systems mounted in it are left out. */
export async function takeSnapshot(root: string): Promise<Snapshot> {
  const listed = await run('find', [
    root,
    '-xdev',
    '-mindepth',
    '1',
    '-printf',
    String.raw`%P\0%y\0%i\0%m %U %G %s %T@ %C@\0`,
  ]);
  const fields = listed.split('\0');
  const nodes: [string, Node][] = [];
  for (let at = 0; at + 3 < fields.length; at += 4) {
    const [path = '', type = '', inode = '', state = ''] = fields.slice(at, at + 4);
    // Sockets and devices have no place in a layer.
    if ('fdl'.includes(type)) nodes.push([path, { isFolder: type === 'd', inode, state }]);
  }
  return new Map(nodes.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/**
 * What a layer must hold to turn one tree into the other (image-spec, layer.md): the paths written, and the whiteouts. A
 * folder that was removed and made anew is marked opaque, as overlay file systems do.
 */
export function changesBetween(
  before: Snapshot,
  after: Snapshot,
): { readonly written: readonly string[]; readonly marks: readonly string[] } {
  const written: string[] = [];
  const marks: string[] = [];
  for (const [path, node] of after) {
    const old = before.get(path);
    if (old?.isFolder === true && isNewFolder(path, before, after))
      marks.push(posix.join(path, '.wh..wh..opq'));
    if (old?.state !== node.state || old.inode !== node.inode) written.push(path);
  }
  for (const path of before.keys()) {
    if (after.has(path) || isGoneWithFolder(path, before, after)) continue;
    marks.push(posix.join(posix.dirname(path), `.wh.${posix.basename(path)}`));
  }
  return { written, marks: marks.sort() };
}

/** True if the folder at `path` is not the one that was there. */
function isNewFolder(path: string, before: Snapshot, after: Snapshot): boolean {
  const now = after.get(path);
  return now?.isFolder === true && now.inode !== before.get(path)?.inode;
}

/** Something higher up says it already: a whiteout, an opaque mark, a file in the folder's place. */
function isGoneWithFolder(path: string, before: Snapshot, after: Snapshot): boolean {
  for (let at = posix.dirname(path); at !== '.'; at = posix.dirname(at)) {
    if (after.get(at)?.isFolder !== true || isNewFolder(at, before, after)) return true;
  }
  return false;
}
