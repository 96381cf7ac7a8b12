import { setTimeout as wait } from 'node:timers/promises';
import { backOffMs } from '../model/back-off.ts';
import type { LogFields } from '../model/log.ts';
import { errorFields } from './error-fields.ts';
import type { GelfCarrier, GelfConnection } from './gelf-carrier.ts';
import type { GelfCounts } from './gelf-counts.ts';
import type { GelfMessage } from './gelf-message.ts';

/** What a shipper is made of. */
export interface GelfShipperOptions {
  readonly carrier: GelfCarrier;
  /** Told when the input is lost and found, and of lost lines; must not throw. */
  readonly report: (level: 'info' | 'warn', message: string, fields: LogFields) => void;
  readonly random?: () => number;
  readonly bounds?: Partial<GelfBounds>;
}

/** Bounds of what waits, and of waiting. */
export interface GelfBounds {
  readonly messages: number;
  readonly bytes: number;
  readonly connectMs: number;
  /** A reader that takes nothing for so long is left. */
  readonly writeMs: number;
  readonly backOff: { readonly baseMs: number; readonly capMs: number };
  /** Least time between two reports of lost lines. */
  readonly reportMs: number;
}

const usualBounds: GelfBounds = {
  messages: 2000,
  bytes: 8 * 1024 * 1024,
  connectMs: 10_000,
  writeMs: 30_000,
  backOff: { baseMs: 250, capMs: 30_000 },
  reportMs: 60_000,
};

/**
 * Sends messages to a GELF input, one after the other, from a bounded queue; connects when there is something to send,
 * and again, ever more slowly, while the input is away. What does not fit into the queue is dropped and counted.
 */
export class GelfShipper {
  readonly #carrier: GelfCarrier;
  readonly #report: GelfShipperOptions['report'];
  readonly #random: () => number;
  readonly #bounds: GelfBounds;
  readonly #queue: Buffer[] = [];
  readonly #stopping = new AbortController();
  readonly #hurrying = new AbortController();
  #queuedBytes = 0;
  #connection: GelfConnection | undefined;
  #work: Promise<void> | undefined;
  #failures = 0;
  #sent = 0;
  #dropped = 0;
  #reportedDrops = 0;
  #lastDropReport = -Infinity;

  constructor(options: GelfShipperOptions) {
    this.#carrier = options.carrier;
    this.#report = options.report;
    this.#random = options.random ?? Math.random;
    this.#bounds = { ...usualBounds, ...options.bounds };
  }

  get counts(): GelfCounts {
    return { sent: this.#sent, dropped: this.#dropped, waiting: this.#queue.length };
  }

  /** Takes a message to be sent; neither waits nor throws. */
  send(message: GelfMessage): void {
    const payload = this.#carrier.encode(message);
    const { messages, bytes } = this.#bounds;
    const isFull = this.#queue.length >= messages || this.#queuedBytes + payload.length > bytes;
    if (isFull || this.#hurrying.signal.aborted) {
      this.#dropped += 1;
      if (performance.now() - this.#lastDropReport >= this.#bounds.reportMs) this.#reportDrops();
      return;
    }
    this.#queue.push(payload);
    this.#queuedBytes += payload.length;
    this.#work ??= this.#workOff().finally(() => {
      this.#work = undefined;
    });
  }

  /** Sends what waits, as far as that goes at the first try and within `deadlineMs`; nothing is taken afterwards. */
  async close(options: { readonly deadlineMs: number }): Promise<void> {
    this.#hurrying.abort();
    const { signal } = this.#stopping;
    // This timer alone keeps the process alive: sockets don't.
    const timer = setTimeout(() => {
      this.#stopping.abort(new Error('the log is being closed'));
    }, options.deadlineMs);
    try {
      await this.#work;
      await this.#connection?.end({ signal });
    } finally {
      clearTimeout(timer);
      this.#connection?.destroy();
    }
    this.#dropped += this.#queue.length;
    this.#queue.length = 0;
    this.#reportDrops();
  }

  async #workOff(): Promise<void> {
    while (this.#queue.length > 0 && !this.#stopping.signal.aborted) {
      try {
        await this.#sendFirst();
      } catch (error) {
        this.#noteFailure(error);
        // Whoever ends has no time for an input that is away.
        if (this.#hurrying.signal.aborted) return;
        await this.#pause();
      }
    }
  }

  async #sendFirst(): Promise<void> {
    const [payload] = this.#queue;
    if (payload === undefined) return;
    const { connectMs, writeMs } = this.#bounds;
    if (this.#connection?.isOpen !== true) {
      this.#connection?.destroy();
      this.#connection = undefined;
      this.#connection = await this.#carrier.connect({ signal: this.#within(connectMs) });
    }
    await this.#connection.write(payload, { signal: this.#within(writeMs) });
    this.#queue.shift();
    this.#queuedBytes -= payload.length;
    this.#sent += 1;
    if (this.#failures > 0) this.#report('info', 'log lines reach graylog again', {});
    if (this.#failures > 0) this.#reportDrops();
    this.#failures = 0;
  }

  #within(ms: number): AbortSignal {
    return AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(ms)]);
  }

  #noteFailure(error: unknown): void {
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#failures += 1;
    if (this.#failures === 1) this.#report('warn', 'log lines do not reach graylog', errorFields(error));
  }

  async #pause(): Promise<void> {
    const ms = backOffMs(this.#failures, this.#bounds.backOff, this.#random);
    try {
      await wait(ms, undefined, { signal: this.#hurrying.signal, ref: false });
    } catch {
      // The log is being closed: one more try, at once.
    }
  }

  #reportDrops(): void {
    const count = this.#dropped - this.#reportedDrops;
    if (count === 0) return;
    this.#reportedDrops = this.#dropped;
    this.#lastDropReport = performance.now();
    this.#report('warn', 'log lines for graylog dropped', { count });
  }
}
