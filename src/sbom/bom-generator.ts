import { LRUCache } from 'lru-cache';
import PQueue from 'p-queue';
import type { BomSettings } from './bom-document.ts';
import type { AnyCataloguer } from './cataloguer.ts';
import { generateBom } from './generate-bom.ts';
import type { GeneratedBom } from './generate-bom.ts';
import { LayerCache } from './layer-cache.ts';
import type { LayerSource } from './layer-source.ts';
import type { SbomProgress } from './overlay.ts';
import type { SbomLimits } from './sbom-limits.ts';
import { SharedWork } from '../model/shared-work.ts';

/** What a {@link BomGenerator} is made with. */
export interface BomGeneratorOptions {
  readonly cataloguers: readonly AnyCataloguer[];
  readonly settings: BomSettings;
  readonly limits: SbomLimits;
  /** Images read at the same time; each may take about 100 MB. */
  readonly concurrency: number;
  /** Estimated bytes of facts kept by layer. */
  readonly layerCacheBytes: number;
  /** Bytes of finished BOMs kept. */
  readonly bomCacheBytes: number;
}

/** One caller's wish. */
export interface GenerateRequest {
  readonly signal: AbortSignal;
  onProgress?(progress: SbomProgress): void;
}

/** What makes BOMs, in this thread or in another. */
export interface BomMaker {
  /** The image's BOM: complete, deterministic. Throws AppErrors of the area SBOM, what the source throws, and the signal's reason. */
  generate(source: LayerSource, request: { readonly signal: AbortSignal }): Promise<GeneratedBom>;
}

/** Equal for requests that get the same BOM, by the same settings. */
export function workKeyOf({ digest, name, tag = '' }: LayerSource): string {
  return `${digest} ${name} ${tag}`;
}

/**
 * Makes BOMs for a process: one at a time for each image however many ask, a bounded number at once, layers and
 * finished BOMs kept. Work that nobody waits for any more stops; `close` stops all of it.
 */
export class BomGenerator implements BomMaker, AsyncDisposable {
  readonly #options: BomGeneratorOptions;
  readonly #queue: PQueue;
  readonly #layers: LayerCache;
  readonly #done: LRUCache<string, GeneratedBom>;
  readonly #running: SharedWork<GeneratedBom>;
  readonly #closing = new AbortController();

  constructor(options: BomGeneratorOptions) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency });
    this.#layers = new LayerCache(options.layerCacheBytes);
    this.#done = new LRUCache({
      maxSize: options.bomCacheBytes,
      // Rows for tables hold the components once more.
      sizeCalculation: ({ bytes }) => bytes.length * 2 + 1,
    });
    this.#running = new SharedWork(this.#closing.signal);
  }

  /** The image's BOM. Throws what {@link generateBom} throws, and the reason of the signal or of `close`. */
  async generate(source: LayerSource, request: GenerateRequest): Promise<GeneratedBom> {
    const key = workKeyOf(source);
    const done = this.#done.get(key);
    if (done !== undefined) return done;
    return await this.#running.join(
      key,
      (signal) => this.#start(key, source, { ...request, signal }),
      request.signal,
    );
  }

  async #start(key: string, source: LayerSource, request: GenerateRequest): Promise<GeneratedBom> {
    const { cataloguers, settings, limits } = this.#options;
    const work = { cataloguers, settings, limits, cache: this.#layers, ...request };
    const bom = await this.#queue.add(() => generateBom(source, work), { signal: request.signal });
    this.#done.set(key, bom);
    return bom;
  }

  /** Stops all work and waits until it has stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DOMException('the SBOM generator is closing', 'AbortError'));
    await this.#queue.onIdle();
  }
}
