import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Pack } from 'tar-stream';
import { foldersOf } from './image-file.ts';
import type { Layer } from './image-file.ts';

/** A layer as a registry takes it. */
export interface PackedLayer {
  readonly name: string;
  readonly bytes: Buffer;
  /** Of what is packed, as the image's configuration names it. */
  readonly diffId: string;
  readonly unpackedSize: number;
}

/** Packs a layer; the same files and time make the same bytes. */
export async function packLayer(layer: Layer, mtime: Date): Promise<PackedLayer> {
  const archive = pack();
  const reading = buffer(archive);
  const common = { mtime, uid: 0, gid: 0, uname: '', gname: '' };
  for (const name of foldersOf(layer.files))
    await add(archive, { ...common, name, type: 'directory', mode: 0o755 });
  for (const { path: name, mode, content } of [...layer.files].sort(byPath)) {
    if ('linkTo' in content)
      await add(archive, { ...common, name, mode, type: 'symlink', linkname: content.linkTo });
    else
      await add(
        archive,
        { ...common, name, mode },
        'bytes' in content ? content.bytes : await readFile(content.from),
      );
  }
  archive.finalize();
  const tar = await reading;
  // The header's time and system are the same everywhere: zlib writes none, and Node names none.
  const bytes = await promisify(gzip)(tar, { level: 6 });
  return { name: layer.name, bytes, diffId: sha256(tar), unpackedSize: tar.length };
}

/** `sha256:HEX` of some bytes. */
export function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function byPath(one: { readonly path: string }, other: { readonly path: string }): number {
  return one.path < other.path ? -1 : 1;
}

async function add(
  archive: Pack,
  header: Parameters<Pack['entry']>[0],
  content: Buffer = Buffer.alloc(0),
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    archive.entry(header, content, (error) => {
      if (error instanceof Error) reject(error);
      else resolve();
    });
  });
}
