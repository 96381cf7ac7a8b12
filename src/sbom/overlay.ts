import { hash } from 'node:crypto';
import type { AnyCataloguer } from './cataloguer.ts';
import { FileTree } from './file-tree.ts';
import type { LayerCache } from './layer-cache.ts';
import { LayerScan } from './layer-scan.ts';
import type { LayerDelta } from './layer-scan.ts';
import type { LayerSource, SourceLayer } from './layer-source.ts';
import { streamLayer } from './layer-stream.ts';
import { RuleIndex } from './rule-index.ts';
import { limitFault } from './sbom-fault.ts';
import type { SbomLimits } from './sbom-limits.ts';
import { TarReader } from './tar-reader.ts';

/** How far the reading of an image is. */
export interface SbomProgress {
  /** Compressed bytes of the image that were read or did not have to be. */
  readonly bytes: number;
  readonly totalBytes: number;
  /** Layers done. */
  readonly layers: number;
  readonly totalLayers: number;
}

/** What {@link overlayLayers} works with. */
export interface OverlayOptions {
  readonly cataloguers: readonly AnyCataloguer[];
  readonly cache: LayerCache;
  readonly limits: SbomLimits;
  readonly signal: AbortSignal;
  onProgress?(progress: SbomProgress): void;
}

/**
 * Reads an image's layers from the bottom up and gives the merged image's facts. Layers that the cache knows on the
 * same base are not opened. Throws what `streamLayer` and `LayerScan` throw, and ERR_SBOM_LIMIT.
 */
export async function overlayLayers(source: LayerSource, options: OverlayOptions): Promise<FileTree> {
  const { limits, cache, signal } = options;
  if (source.layers.length > limits.layers) {
    throw limitFault(`the image has more than ${limits.layers} layers`, {
      object: `${source.name}@${source.digest}`,
    });
  }
  const overlay = new Overlay(source, options);
  const keys = chainKeys(source.layers, options.cataloguers);
  for (const [position, layer] of source.layers.entries()) {
    signal.throwIfAborted();
    const key = keys[position] ?? '';
    const known = cache.get(key) ?? (await cache.share(key, () => overlay.read(position, layer), signal));
    signal.throwIfAborted();
    overlay.apply(position, known ?? (await overlay.read(position, layer)), layer);
  }
  return overlay.tree;
}

/** The merged image while it grows. */
class Overlay {
  readonly #source: LayerSource;
  readonly #options: OverlayOptions;
  readonly #index: RuleIndex;
  readonly #totalBytes: number;
  #tree = new FileTree();
  /** The layer that `read` has put into the tree already. */
  #applied = -1;
  #entries = 0;
  #weight = 0;
  #uncompressedBytes = 0;
  #doneBytes = 0;

  constructor(source: LayerSource, options: OverlayOptions) {
    this.#source = source;
    this.#options = options;
    this.#index = new RuleIndex(options.cataloguers);
    this.#totalBytes = source.layers.reduce((sum, { size }) => sum + size, 0);
  }

  get tree(): FileTree {
    return this.#tree;
  }

  async read(position: number, layer: SourceLayer): Promise<LayerDelta> {
    const scan = new LayerScan(this.#tree, {
      layer: position,
      object: layer.digest,
      index: this.#index,
      limits: this.#options.limits,
      used: { entries: this.#entries, weight: this.#weight },
    });
    const uncompressedBytes = await this.#stream(layer, scan.onEntry, (bytes) => {
      this.#report(bytes, position);
    });
    // What the second reading reads is counted already.
    if (scan.hasPendingReads) await this.#stream(layer, scan.onEntryAgain, () => undefined);
    this.#applied = position;
    return scan.finish(uncompressedBytes);
  }

  /** Counts a layer as done and brings its effect into the tree, unless reading it did that. */
  apply(position: number, delta: LayerDelta, layer: SourceLayer): void {
    this.#entries += delta.entries;
    this.#weight += delta.weight;
    this.#uncompressedBytes += delta.uncompressedBytes;
    this.#checkTotals();
    if (this.#applied !== position) applyDelta(this.#tree, delta, position);
    this.#doneBytes += layer.size;
    this.#report(0, position + 1);
  }

  async #stream(
    layer: SourceLayer,
    onEntry: LayerScan['onEntry'],
    onRead: (layerBytes: number) => void,
  ): Promise<number> {
    const { limits, signal } = this.#options;
    const reader = new TarReader(onEntry, { object: layer.digest, limits });
    let layerBytes = 0;
    const sink = (chunk: Buffer): void => {
      reader.push(chunk);
    };
    const bytes = await streamLayer(layer, sink, {
      signal,
      limits: { ...limits, uncompressedBytes: limits.uncompressedBytes - this.#uncompressedBytes },
      onBytes: (read) => {
        layerBytes += read;
        onRead(layerBytes);
      },
    });
    reader.end();
    return bytes;
  }

  #report(layerBytes: number, layers: number): void {
    this.#options.onProgress?.({
      bytes: Math.min(this.#doneBytes + layerBytes, this.#totalBytes),
      totalBytes: this.#totalBytes,
      layers,
      totalLayers: this.#source.layers.length,
    });
  }

  /** Cached layers count too: whether an image is refused does not depend on what was read before. */
  #checkTotals(): void {
    const { entries, factBytes, uncompressedBytes } = this.#options.limits;
    const object = `${this.#source.name}@${this.#source.digest}`;
    if (this.#entries > entries) throw limitFault(`the image has more than ${entries} files`, { object });
    if (this.#weight > factBytes) throw limitFault(`its facts exceed ${factBytes} bytes`, { object });
    if (this.#uncompressedBytes > uncompressedBytes) {
      throw limitFault(`its layers exceed ${uncompressedBytes} bytes uncompressed`, { object });
    }
  }
}

function applyDelta(tree: FileTree, delta: LayerDelta, layer: number): void {
  for (const path of delta.deletes) tree.clearLower(path, layer);
  for (const path of delta.opaques) tree.clearLowerContent(path, layer);
  for (const [path, target] of delta.links) tree.setLink(path, target, layer);
  for (const [path, facts] of delta.files) tree.setFacts(path, facts, layer);
}

/** One key for each layer: a digest over it, all layers below it, and the versions of the cataloguers. */
function chainKeys(layers: readonly SourceLayer[], cataloguers: readonly AnyCataloguer[]): readonly string[] {
  let key = cataloguers.map(({ name, version }) => `${name}@${version}`).join(',');
  return layers.map(({ digest, diffId }) => (key = hash('sha256', `${key} ${digest} ${diffId}`, 'hex')));
}
