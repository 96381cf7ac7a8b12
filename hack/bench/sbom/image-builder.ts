import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { cp, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { run } from '../../stack/process/run.ts';
import { changesBetween, takeSnapshot } from './tree-snapshot.ts';
import type { Snapshot } from './tree-snapshot.ts';

/** How a layer's archive is written and packed; real images hold all of these. */
export interface LayerForm {
  readonly compression: 'gzip' | 'zstd' | 'none';
  readonly archive: 'gnu' | 'pax';
}

interface StoredLayer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly diffId: string;
}

/** What a finished layout folder holds. */
export interface BuiltImage {
  readonly layers: readonly StoredLayer[];
}

/** All times in the archives: the same tree gives the same layer. */
const layerTime = '2026-01-01T00:00:00Z';
const layerType = 'application/vnd.oci.image.layer.v1.tar';
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const suffixes = { gzip: '+gzip', zstd: '+zstd', none: '' } as const;

/**
 * Builds an image by hand, as container engines do: programs change the tree below `root`, and each `commit` makes a
 * layer of what changed since the one before, with whiteouts for what went away.
 */
export class ImageBuilder {
  /** The image's file system. */
  readonly root: string;
  readonly #layout: string;
  readonly #scratch: string;
  readonly #layers: StoredLayer[] = [];
  #before: Snapshot = new Map();

  constructor(folder: string) {
    this.root = join(folder, 'root');
    this.#layout = join(folder, 'layout');
    this.#scratch = join(folder, 'scratch');
  }

  /** Starts from nothing. */
  async start(): Promise<void> {
    await mkdir(this.root, { recursive: true });
    await mkdir(this.#scratch, { recursive: true });
    await mkdir(join(this.#layout, 'blobs/sha256'), { recursive: true });
  }

  /** Starts from another image of one layer, whose blob is shared. */
  async startFrom(base: { readonly layout: string; readonly image: BuiltImage }): Promise<void> {
    await this.start();
    for (const layer of base.image.layers) {
      const blob = join(base.layout, blobPath(layer.digest));
      await run('tar', ['-xpf', blob, '-C', this.root, '--numeric-owner']);
      await cp(blob, join(this.#layout, blobPath(layer.digest)));
      this.#layers.push(layer);
    }
    this.#before = await takeSnapshot(this.root);
  }

  /** Makes a layer of everything that changed since the last commit. */
  async commit({ compression, archive }: LayerForm): Promise<void> {
    const after = await takeSnapshot(this.root);
    const { written, marks } = changesBetween(this.#before, after);
    this.#before = after;
    const tar = join(this.#scratch, 'layer.tar');
    const markFolder = join(this.#scratch, 'marks');
    for (const mark of marks) {
      await mkdir(join(markFolder, dirname(mark)), { recursive: true });
      await writeFile(join(markFolder, mark), '');
    }
    await mkdir(markFolder, { recursive: true });
    await this.#archive(tar, '-cf', { folder: markFolder, paths: marks, archive });
    await this.#archive(tar, '-rf', { folder: this.root, paths: written, archive });
    this.#layers.push(await this.#store(tar, compression));
    await rm(this.#scratch, { recursive: true });
    await mkdir(this.#scratch);
  }

  /** Writes config, manifest and index; gives where the finished layout folder is. */
  async finish(): Promise<BuiltImage> {
    const config = await this.#put({
      created: layerTime,
      architecture: 'amd64',
      os: 'linux',
      config: {
        Labels: {
          'org.opencontainers.image.source': 'https://git.example/bench/images',
          'org.opencontainers.image.revision': '0123456789abcdef0123456789abcdef01234567',
        },
      },
      rootfs: { type: 'layers', diff_ids: this.#layers.map(({ diffId }) => diffId) },
    });
    const manifest = await this.#put({
      schemaVersion: 2,
      mediaType: ociManifest,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: this.#layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    });
    const platform = { os: 'linux', architecture: 'amd64' };
    await writeFile(
      join(this.#layout, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: ociManifest, ...manifest, platform }] }),
    );
    await writeFile(join(this.#layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    return { layers: this.#layers };
  }

  async #archive(
    tar: string,
    mode: '-cf' | '-rf',
    { folder, paths, archive }: { folder: string; paths: readonly string[]; archive: LayerForm['archive'] },
  ): Promise<void> {
    const pax = '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime';
    await run(
      'tar',
      [
        mode,
        tar,
        ...(archive === 'pax' ? ['--format=posix', pax] : ['--format=gnu']),
        ...['--numeric-owner', `--mtime=${layerTime}`, '--no-recursion', '--null', '-C', folder, '-T', '-'],
      ],
      { input: paths.map((path) => `${path}\0`).join('') },
    );
  }

  async #store(tar: string, compression: LayerForm['compression']): Promise<StoredLayer> {
    const packed = join(this.#scratch, 'packed');
    const plain = hashing();
    const stored = hashing();
    const into = createWriteStream(packed);
    const from = createReadStream(tar, { highWaterMark: 1 << 20 });
    if (compression === 'none') await pipeline(from, plain.through, stored.through, into);
    else {
      const packer = compression === 'gzip' ? createGzip() : createZstdCompress();
      await pipeline(from, plain.through, packer, stored.through, into);
    }
    const digest = stored.digest();
    await rename(packed, join(this.#layout, blobPath(digest)));
    const { size } = await stat(join(this.#layout, blobPath(digest)));
    return { mediaType: layerType + suffixes[compression], digest, size, diffId: plain.digest() };
  }

  async #put(value: unknown): Promise<{ readonly digest: string; readonly size: number }> {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await writeFile(join(this.#layout, blobPath(digest)), bytes);
    return { digest, size: bytes.length };
  }
}

/** Where a layout folder keeps a blob (image-spec, image-layout.md). */
export function blobPath(digest: string): string {
  return join('blobs', ...digest.split(':'));
}

function hashing(): { readonly through: Transform; digest: () => string } {
  const hash = createHash('sha256');
  const through = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  return { through, digest: () => `sha256:${hash.digest('hex')}` };
}
