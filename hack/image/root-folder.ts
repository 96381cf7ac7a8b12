import { copyFile, mkdir, chmod, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { foldersOf } from './image-file.ts';
import type { Layer } from './image-file.ts';

/** Writes the image's file system into an empty folder, as a container would see it. */
export async function writeRoot(folder: string, layers: readonly Layer[]): Promise<void> {
  const files = layers.flatMap((layer) => layer.files);
  for (const name of foldersOf(files)) await mkdir(join(folder, name), { recursive: true });
  for (const { path, mode, content } of files) {
    const target = join(folder, path);
    if ('linkTo' in content) await symlink(content.linkTo, target);
    else {
      await ('bytes' in content ? writeFile(target, content.bytes) : copyFile(content.from, target));
      await chmod(target, mode);
    }
  }
}
