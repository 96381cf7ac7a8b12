import { posix } from 'node:path';

const unclean = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** A member's name as a path from the image's root: no leading slash, no `.`, `..` clamped at the root. Root: ''. */
export function normaliseLayerPath(name: string): string {
  if (!unclean.test(name)) return name;
  const path = posix.normalize(`/${name}`);
  return path.endsWith('/') ? path.slice(1, -1) : path.slice(1);
}

/** Directory and base name of a normalised path; the directory of a top-level name is ''. */
export function splitLayerPath(path: string): { readonly directory: string; readonly base: string } {
  const slash = path.lastIndexOf('/');
  return slash < 0
    ? { directory: '', base: path }
    : { directory: path.slice(0, slash), base: path.slice(slash + 1) };
}

/** `base` in `directory`, which may be the root (''). */
export function joinLayerPath(directory: string, base: string): string {
  return directory === '' ? base : `${directory}/${base}`;
}
