import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../../src/model/digest.ts';
import type { AnyCataloguer } from '../../../src/sbom/cataloguer.ts';
import { takeInventory } from '../../../src/sbom/inventory.ts';
import type { Inventory } from '../../../src/sbom/inventory.ts';
import { LayerCache } from '../../../src/sbom/layer-cache.ts';
import type { ImageConfig, LayerSource, SourceLayer } from '../../../src/sbom/layer-source.ts';
import { overlayLayers } from '../../../src/sbom/overlay.ts';
import { defaultSbomLimits } from '../../../src/sbom/sbom-limits.ts';
import type { SbomLimits } from '../../../src/sbom/sbom-limits.ts';
import { tar } from './tar-fixture.ts';
import type { Member } from './tar-fixture.ts';

/** How often layers of this source were opened, beside the source itself. */
export interface FixtureLayer extends SourceLayer {
  opened: number;
}

/** Gives `bytes` in pieces of `pieceBytes`, as a network would. */
export async function* pieces(bytes: Uint8Array, pieceBytes = 4096): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    await Promise.resolve();
    yield bytes.subarray(at, at + pieceBytes);
  }
}

/** A layer of these bytes, compressed as told; `change` lets a test lie about any field. */
export function layerOf(
  archive: Buffer,
  compression: 'gzip' | 'zstd' | 'none' = 'gzip',
  change: Partial<SourceLayer> = {},
): FixtureLayer {
  const bytes =
    compression === 'gzip' ? gzipSync(archive) : compression === 'zstd' ? zstdCompressSync(archive) : archive;
  const layer: FixtureLayer = {
    digest: digestOf(bytes),
    diffId: digestOf(archive),
    mediaType: `application/vnd.oci.image.layer.v1.tar${compression === 'none' ? '' : `+${compression}`}`,
    size: bytes.length,
    opened: 0,
    open: () => {
      layer.opened += 1;
      return Promise.resolve(pieces(bytes));
    },
    ...change,
  };
  return layer;
}

/** A gzip layer with these members. */
export function layer(members: Parameters<typeof tar>[0]): FixtureLayer {
  return layerOf(tar(members));
}

/** An image of these layers, lowest first. */
export function image(layers: readonly SourceLayer[], config: Partial<ImageConfig> = {}): LayerSource {
  return {
    name: 'registry.test/team/app',
    tag: '1.0',
    digest: digestOf(layers.map(({ digest }) => digest).join()),
    config: {
      digest: digestOf('config'),
      platform: { os: 'linux', architecture: 'amd64' },
      created: '2026-01-02T03:04:05.678Z',
      labels: {},
      ...config,
    },
    layers,
  };
}

/** Runs the real archive reader, overlay and these cataloguers over layers, lowest first. */
export async function catalogue(
  layers: readonly SourceLayer[],
  cataloguers: readonly AnyCataloguer[],
  options: { readonly limits?: Partial<SbomLimits>; readonly cache?: LayerCache } = {},
): Promise<Inventory> {
  const source = image(layers);
  const tree = await overlayLayers(source, {
    cataloguers,
    cache: options.cache ?? new LayerCache(64 * 1024 * 1024),
    limits: { ...defaultSbomLimits, ...options.limits },
    signal: AbortSignal.timeout(60_000),
  });
  return takeInventory(tree, cataloguers, source.config.platform);
}

export type { Member };
