import { LRUCache } from 'lru-cache';
import type { LayerDelta } from './layer-scan.ts';

/**
 * What layers did to the layers below them, kept for the images that share a base. The key names the layer, all layers
 * below it and the cataloguers (`chainKeys`), so that a delta is exact. Bounded by estimated bytes; safe to share.
 */
export class LayerCache {
  readonly #deltas: LRUCache<string, LayerDelta>;
  /** Layers that are being read, so that images that start together share the reading of their base. */
  readonly #reading = new Map<string, Promise<LayerDelta>>();

  constructor(maxBytes: number) {
    this.#deltas = new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ weight }) => weight + 1 });
  }

  /** Estimated bytes held. */
  get bytes(): number {
    return this.#deltas.calculatedSize;
  }

  /** What is kept under `key`. */
  get(key: string): LayerDelta | undefined {
    return this.#deltas.get(key);
  }

  /**
   * Runs `read` unless another caller reads the same layer; then waits for that one. Gives undefined if the other one
   * failed or `signal` fired first: the caller reads for itself then, or stops.
   */
  async share(
    key: string,
    read: () => Promise<LayerDelta>,
    signal: AbortSignal,
  ): Promise<LayerDelta | undefined> {
    const other = this.#reading.get(key);
    if (other !== undefined) return await settled(other, signal);
    const own = read();
    this.#reading.set(key, own);
    try {
      const delta = await own;
      this.#deltas.set(key, delta);
      return delta;
    } finally {
      this.#reading.delete(key);
    }
  }
}

async function settled(work: Promise<LayerDelta>, signal: AbortSignal): Promise<LayerDelta | undefined> {
  const { promise: stopped, resolve } = Promise.withResolvers<undefined>();
  const stop = (): void => {
    resolve(undefined);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work.catch(() => undefined), stopped]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
