import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { digestOf } from '../../model/digest.ts';
import type { Digest } from '../../model/digest.ts';
import type { Repository } from '../../model/image-reference.ts';
import { mediaTypes } from '../../model/oci.ts';
import type { Descriptor } from '../../model/oci.ts';
import type { ImageStore } from '../../registry/image-store.ts';

/** A small image, ready to be pushed. */
export interface SampleImage {
  readonly digest: Digest;
  readonly manifest: Uint8Array;
  readonly blobs: readonly Uint8Array[];
}

const created = '2026-11-01T08:00:00Z';
const layerMediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';

const files = {
  'etc/os-release': 'NAME="Golem Linux"\nID=golem\nVERSION_ID=1\nID_LIKE=debian\n',
  'var/lib/dpkg/status': [
    'Package: libc6\nStatus: install ok installed\nVersion: 2.41-12\nArchitecture: amd64\nSource: glibc\n',
    'Package: nodejs\nStatus: install ok installed\nVersion: 24.11.0-1\nArchitecture: amd64\nDepends: libc6\n',
  ].join('\n'),
  'usr/share/doc/libc6/copyright':
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: LGPL-2.1+\n',
  'usr/share/doc/nodejs/copyright':
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: Expat\n',
  'app/package.json': '{"name":"example-service","version":"1.4.0","license":"Apache-2.0"}\n',
  'app/node_modules/left-pad/package.json': '{"name":"left-pad","version":"1.3.0","license":"WTFPL"}\n',
} as const;

/** An image of one layer; the same `greeting` gives the same digest. */
export async function makeSampleImage(greeting: string): Promise<SampleImage> {
  const tar = await makeTar({ ...files, 'app/main.js': `console.log(${JSON.stringify(greeting)});\n` });
  const layer = gzipSync(tar);
  const config = Buffer.from(
    JSON.stringify({
      created,
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['node', '/app/main.js'] },
      rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describe(config, mediaTypes.ociConfig),
      layers: [describe(layer, layerMediaType)],
    }),
  );
  return { digest: digestOf(manifest), manifest, blobs: [config, layer] };
}

/** Pushes the image under a tag. */
export async function pushSampleImage(
  store: ImageStore,
  { repository, tag }: { readonly repository: Repository; readonly tag: string },
  { manifest, blobs }: SampleImage,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  for (const blob of blobs) await store.putBlob(repository, blob, options);
  await store.putManifest(repository, tag, { bytes: manifest, mediaType: mediaTypes.ociManifest }, options);
}

async function makeTar(contents: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = pack();
  const mtime = new Date(created);
  for (const [name, content] of Object.entries(contents))
    archive.entry({ name, mtime, mode: 0o644 }, content);
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function describe(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
}
