import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** One entry of the image's file system. Everything belongs to root, and nobody else may write to it. */
export interface ImageFile {
  /** Without a leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly content: { readonly bytes: Buffer } | { readonly from: string } | { readonly linkTo: string };
}

/** What is fetched and unpacked as one piece. */
export interface Layer {
  readonly name: string;
  readonly files: readonly ImageFile[];
}

const readable = 0o644;
const executable = 0o755;

/** A file of the image with this content. */
export function fileOf(path: string, bytes: Buffer | string): ImageFile {
  return { path, mode: readable, content: { bytes: Buffer.from(bytes) } };
}

/** A symbolic link of the image. */
export function linkOf(path: string, linkTo: string): ImageFile {
  return { path, mode: 0o777, content: { linkTo } };
}

/** A file of this machine; whether it can be run is taken over, no other permission is. */
export async function copyOf(path: string, from: string): Promise<ImageFile> {
  const { mode } = await lstat(from);
  return { path, mode: (mode & 0o111) === 0 ? readable : executable, content: { from } };
}

/** The files below a folder of this machine that `isWanted` names, links left out; sorted. */
export async function filesBelow(
  folder: string,
  isWanted: (path: string) => boolean = () => true,
): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter(isWanted)
    .sort();
}

/** The folders that files lie in, parents first. */
export function foldersOf(files: readonly ImageFile[]): readonly string[] {
  const folders = new Set<string>();
  for (const { path } of files) {
    const parts = path.split('/').slice(0, -1);
    parts.forEach((_, at) => folders.add(parts.slice(0, at + 1).join('/')));
  }
  return [...folders].sort();
}
