/** The worker thread that makes SBOMs; bom-thread.ts starts and feeds it. */
import { parentPort, workerData } from 'node:worker_threads';
import { BomGenerator } from '../bom-generator.ts';
import { cataloguers } from '../cataloguers/table.ts';
import type { LayerSource } from '../layer-source.ts';
import { FedLayer } from './fed-layer.ts';
import { recordFault } from './thread-protocol.ts';
import type { ImageDescription, ThreadOrder, ThreadReport, ThreadSettings } from './thread-protocol.ts';

/** The jobs of this thread and the layers that they read. */
class Workshop {
  readonly #generator: BomGenerator;
  readonly #report: (report: ThreadReport) => void;
  readonly #jobs = new Map<number, AbortController>();
  readonly #feeds = new Map<number, FedLayer>();
  #lastFeed = 0;

  constructor(settings: ThreadSettings, report: (report: ThreadReport) => void) {
    this.#generator = new BomGenerator({ ...settings, cataloguers });
    this.#report = report;
  }

  obey(order: ThreadOrder): void {
    switch (order.kind) {
      case 'generate':
        void this.#generate(order.job, order.image);
        break;
      case 'cancel':
        this.#jobs.get(order.job)?.abort();
        break;
      case 'ping':
        this.#report({ kind: 'pong' });
        break;
      default:
        this.#feeds.get(order.feed)?.take(order);
    }
  }

  async #generate(job: number, image: ImageDescription): Promise<void> {
    const stop = new AbortController();
    this.#jobs.set(job, stop);
    try {
      const bom = await this.#generator.generate(this.#sourceOf(job, image), { signal: stop.signal });
      this.#report({ kind: 'done', job, bom });
    } catch (error) {
      this.#report({ kind: 'failed', job, fault: recordFault(error) });
    } finally {
      this.#jobs.delete(job);
    }
  }

  #sourceOf(job: number, image: ImageDescription): LayerSource {
    const layers = image.layers.map((layer, position) => ({
      ...layer,
      open: ({ signal }: { readonly signal: AbortSignal }) =>
        Promise.resolve(this.#read({ job, layer: position }, signal)),
    }));
    return { ...image, layers };
  }

  async *#read(
    place: { readonly job: number; readonly layer: number },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const feed = (this.#lastFeed += 1);
    const layer = new FedLayer(feed, this.#report);
    this.#feeds.set(feed, layer);
    try {
      this.#report({ kind: 'open', ...place, feed });
      yield* layer.read(signal);
    } finally {
      this.#feeds.delete(feed);
    }
  }
}

function serve(): void {
  if (parentPort === null) throw new Error('this file is the entry of a worker thread');
  const port = parentPort;
  const workshop = new Workshop(workerData as ThreadSettings, (report) => {
    port.postMessage(report);
  });
  port.on('message', (order: ThreadOrder) => {
    workshop.obey(order);
  });
}

serve();
