import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError, messageOf } from '../../model/errors.ts';
import { workKeyOf } from '../bom-generator.ts';
import type { BomMaker } from '../bom-generator.ts';
import type { GeneratedBom } from '../generate-bom.ts';
import type { LayerSource } from '../layer-source.ts';
import { SharedWork } from '../../model/shared-work.ts';
import { LayerFeed } from './layer-feed.ts';
import { reviveFault } from './thread-protocol.ts';
import type { ThreadOrder, ThreadReport, ThreadSettings } from './thread-protocol.ts';

/** What a {@link BomThread} is made with. */
export interface BomThreadOptions extends ThreadSettings {
  /** MiB of JavaScript heap, past which the thread is ended; buffers lie outside it and are bounded by the limits. */
  readonly heapMiB?: number;
  /** Milliseconds of silence after which the thread is taken to hang and is ended. */
  readonly silenceMs?: number;
}

/** Ten times what the largest image measured takes: facts are bounded at 256 MiB, and a document is made of them. */
const defaultHeapMiB = 1024;
const youngMiB = 16;
/** The longest that the thread was seen busy without a look at its messages is half a second. */
const defaultSilenceMs = 120_000;
const looksPerSilence = 4;

interface Job {
  readonly source: LayerSource;
  readonly signal: AbortSignal;
  readonly feeds: Map<number, LayerFeed>;
  readonly settle: (outcome: GeneratedBom | Error) => void;
}

/**
 * Makes SBOMs in a worker thread, so that inflating, hashing and cataloguing don't hold up this one. Images are read
 * here: credentials and connections stay, layers' compressed bytes cross over. Started with the first image; when it
 * crashes, runs out of memory or hangs, what it had in work fails with ERR_SBOM_THREAD and the next image starts another.
 */
export class BomThread implements BomMaker, AsyncDisposable {
  readonly #options: BomThreadOptions;
  readonly #jobs = new Map<number, Job>();
  readonly #closing = new AbortController();
  readonly #running = new SharedWork<GeneratedBom>(this.#closing.signal);
  #worker: Worker | undefined;
  #lastJob = 0;
  #watch: NodeJS.Timeout | undefined;
  #unanswered = 0;

  constructor(options: BomThreadOptions) {
    this.#options = options;
  }

  /** The image's BOM. Throws what `BomGenerator` throws, and ERR_SBOM_THREAD. */
  async generate(source: LayerSource, { signal }: { readonly signal: AbortSignal }): Promise<GeneratedBom> {
    this.#closing.signal.throwIfAborted();
    return this.#running.join(workKeyOf(source), (shared) => this.#make(source, shared), signal);
  }

  async #make(source: LayerSource, signal: AbortSignal): Promise<GeneratedBom> {
    const id = (this.#lastJob += 1);
    const { promise, resolve, reject } = Promise.withResolvers<GeneratedBom>();
    const settle = (outcome: GeneratedBom | Error): void => {
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    const job: Job = { source, signal, feeds: new Map(), settle };
    const cancel = (): void => {
      this.#send({ kind: 'cancel', job: id });
      reject(signal.reason as Error);
    };
    this.#jobs.set(id, job);
    this.#hire();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const { layers, ...image } = source;
      const described = layers.map(({ digest, diffId, mediaType, size, isChecked = false }) => ({
        digest,
        diffId,
        mediaType,
        size,
        isChecked,
      }));
      this.#send({ kind: 'generate', job: id, image: { ...image, layers: described } });
      return await promise;
    } finally {
      signal.removeEventListener('abort', cancel);
      this.#jobs.delete(id);
      this.#rest();
      await Promise.all([...job.feeds.values()].map((feed) => feed.close()));
    }
  }

  /** Sees to it that there is a thread, watched, which keeps the process alive. */
  #hire(): void {
    const { heapMiB = defaultHeapMiB, silenceMs = defaultSilenceMs, ...settings } = this.#options;
    this.#worker ??= this.#start(heapMiB, settings);
    this.#worker.ref();
    this.#watch ??= setInterval(() => {
      this.#look();
    }, silenceMs / looksPerSilence);
    this.#watch.unref();
  }

  #start(heapMiB: number, workerData: ThreadSettings): Worker {
    const entry = new URL(`./generator-thread${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(entry, {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: heapMiB, maxYoungGenerationSizeMb: youngMiB },
      env: {},
      argv: [],
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
    });
    worker.on('message', (report: ThreadReport) => {
      this.#hear(report);
    });
    const crash = (reason: string): void => {
      if (this.#worker === worker) this.#bury(reason);
    };
    worker.on('error', (error: unknown) => {
      crash(messageOf(error));
    });
    worker.on('exit', () => {
      crash('its thread ended');
    });
    return worker;
  }

  #send(order: ThreadOrder, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker?.postMessage(order, transfer);
  }

  #hear(report: ThreadReport): void {
    this.#unanswered = 0;
    switch (report.kind) {
      case 'open':
        this.#open(report);
        break;
      case 'pull':
        this.#feed(report.feed)?.pull();
        break;
      case 'close':
        void this.#feed(report.feed)?.close();
        break;
      case 'done':
        this.#jobs.get(report.job)?.settle(report.bom);
        break;
      case 'failed':
        this.#jobs.get(report.job)?.settle(reviveFault(report.fault));
        break;
      case 'pong':
        break;
    }
  }

  #open({ job: id, layer, feed }: { job: number; layer: number; feed: number }): void {
    const job = this.#jobs.get(id);
    const source = job?.source.layers[layer];
    if (job === undefined || source === undefined) return;
    const send = (order: ThreadOrder, transfer: readonly ArrayBuffer[]): void => {
      this.#send(order, transfer);
    };
    job.feeds.set(feed, new LayerFeed(feed, source, { signal: job.signal, send }));
  }

  #feed(feed: number): LayerFeed | undefined {
    for (const { feeds } of this.#jobs.values()) {
      const found = feeds.get(feed);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** An idle thread keeps no process alive. */
  #rest(): void {
    if (this.#jobs.size > 0) return;
    this.#worker?.unref();
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#unanswered = 0;
  }

  #look(): void {
    const { silenceMs = defaultSilenceMs } = this.#options;
    this.#unanswered += 1;
    if (this.#unanswered <= looksPerSilence) this.#send({ kind: 'ping' });
    else this.#bury(`no sign of life for ${silenceMs} ms`);
  }

  #bury(reason: string): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
    for (const { source, settle } of this.#jobs.values()) {
      settle(threadFault(`${source.name}@${source.digest}`, reason));
    }
  }

  /** Ends the thread and with it all work. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DOMException('the SBOM generator is closing', 'AbortError'));
    await this.#worker?.terminate();
  }
}

function threadFault(object: string, reason: string): AppError {
  return new AppError('ERR_SBOM_THREAD', `the thread that made the SBOM of ${object} failed: ${reason}`, {
    kind: 'passing',
    object,
    remedy: 'If this image fails every time, report it; turn SBOMs off for it meanwhile.',
  });
}
