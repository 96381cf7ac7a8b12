import { LRUCache } from 'lru-cache';
import PQueue from 'p-queue';
import { request } from 'undici';
import { readBounded } from '../model/bounded-body.ts';
import { deadlines } from '../model/limits.ts';
import { fromRegistryFault } from './registry-faults.ts';
import { registryLimits, registryTimes } from './registry-limits.ts';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';

/** How a host is reached. */
interface HostConnection {
  /** Carries the host's certificate authorities, client certificates and proxies. */
  readonly dispatcher: Dispatcher;
  /** Plain HTTP is tried where HTTPS does not answer. TLS without verification is the dispatcher's business. */
  readonly insecure?: boolean;
}

/** One HTTP request to one server. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** What it is about, for messages. */
  readonly object: string;
  readonly signal: AbortSignal;
}

/** What is common to both forms of an answer. */
export interface HttpAnswer {
  readonly status: number;
  /** A header by its lower-case name; several lines of it are joined by commas. */
  header(name: string): string | undefined;
}

/** An answer whose body was read. */
export interface BufferedAnswer extends HttpAnswer {
  readonly bytes: Uint8Array;
}

/** An answer whose body is still to be read or destroyed. */
export interface StreamedAnswer extends HttpAnswer {
  readonly body: Readable;
}

/** What is told of each request, for metrics. */
interface HttpObservation {
  readonly host: string;
  readonly method: string;
  readonly status: number;
  readonly durationMs: number;
}

/** Settings of {@link HttpSender}. */
export interface HttpSenderOptions {
  /** The connection for `host` (with port where it has one). */
  readonly connectionFor: (host: string) => HostConnection;
  /** Requests under way per host. */
  readonly concurrency?: number;
  readonly onAnswer?: (observation: HttpObservation) => void;
}

const defaultConcurrency = 16;
/** A transfer slower than one byte a microsecond (1 MB/s) is taken as stuck. */
const msPerByte = 1 / 1000;

/** Sends HTTP requests, a bounded number at a time per host, each with a deadline and a bounded answer. */
export class HttpSender {
  readonly #options: HttpSenderOptions;
  readonly #queues = new LRUCache<string, PQueue>({ max: registryLimits.rememberedHosts });

  constructor(options: HttpSenderOptions) {
    this.#options = options;
  }

  /** Sends and reads at most `maxBytes`. Faults: ERR_REGISTRY_UNREACHABLE, _TLS, _ANSWER, _TOO_LARGE. */
  async send(message: HttpRequest & { readonly maxBytes: number }): Promise<BufferedAnswer> {
    return this.#queued(message, async () => {
      const transferMs = (message.body?.byteLength ?? 0) * msPerByte;
      const signal = AbortSignal.any([
        message.signal,
        AbortSignal.timeout(Math.ceil(deadlines.registryMs + transferMs)),
      ]);
      const answer = await this.#request(message, signal);
      const { maxBytes, object } = message;
      const bytes = await readBounded(answer.body, { maxBytes, object, code: 'ERR_REGISTRY_TOO_LARGE' });
      return { ...answer, bytes };
    });
  }

  /** Sends and gives the body as it comes; the caller's signal bounds the whole, and a stall ends it. Faults as `send`. */
  async open(message: HttpRequest): Promise<StreamedAnswer> {
    return this.#queued(message, () => this.#request(message, message.signal));
  }

  async #queued<T>(message: HttpRequest, task: () => Promise<T>): Promise<T> {
    const { host } = message.url;
    let queue = this.#queues.get(host);
    if (queue === undefined) {
      queue = new PQueue({ concurrency: this.#options.concurrency ?? defaultConcurrency });
      this.#queues.set(host, queue);
    }
    try {
      return await queue.add(task, { signal: message.signal });
    } catch (error) {
      throw fromRegistryFault(error, message.object);
    }
  }

  async #request(message: HttpRequest, signal: AbortSignal): Promise<StreamedAnswer> {
    const { host } = message.url;
    const started = performance.now();
    const answer = await request(message.url, {
      dispatcher: this.#options.connectionFor(host).dispatcher,
      method: message.method,
      headers: { 'user-agent': 'chainwright', ...message.headers },
      body: message.body ?? null,
      signal,
      headersTimeout: deadlines.registryMs,
      bodyTimeout: registryTimes.stallMs,
    });
    this.#options.onAnswer?.({
      host,
      method: message.method,
      status: answer.statusCode,
      durationMs: performance.now() - started,
    });
    return {
      status: answer.statusCode,
      header: (name) => [answer.headers[name] ?? []].flat().join(', ') || undefined,
      body: answer.body,
    };
  }
}
