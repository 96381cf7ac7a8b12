import { randomFillSync } from 'node:crypto';

/** Thrown through a module that asked to end: its instance is of no use any more. */
class ModuleExit extends Error {
  constructor(status: number, lastWords: string) {
    super(lastWords === '' ? `the evaluator ended with status ${status}` : lastWords);
    this.name = 'ModuleExit';
  }
}

// Error numbers of wasi_snapshot_preview1.
const success = 0;
const badDescriptor = 8;
const notSupported = 58;

const realtimeClock = 0;
const clockSubscription = 0;
const subscriptionBytes = 48;
const eventBytes = 32;
const absoluteTime = 1;
const vectorBytes = 8;
const standardError = 2;
const keptWords = 2_000;
const longestSleepMs = 50;

type Import = (...args: never[]) => number;

/**
 * The part of WASI (wasi_snapshot_preview1) that Go's runtime cannot do without: clocks, random bytes, sleep, and
 * writing its last words. Everything else, files, folders, sockets, arguments and environment, is refused. Node's own
 * WASI is not used since its documentation denies that it contains untrusted code.
 */
export class WasiHost {
  #memory: WebAssembly.Memory | undefined;
  #lastWords = '';
  #wallClockMs = 0;

  /** What to instantiate a module with. */
  get imports(): WebAssembly.Imports {
    const granted = this.#granted();
    const refuse: Import = () => notSupported;
    return {
      wasi_snapshot_preview1: new Proxy(granted, {
        get: (calls, name) => (typeof name === 'string' ? (calls[name] ?? refuse) : undefined),
      }),
    };
  }

  /** Binds the instance's memory; to be called before its first export. */
  bind(memory: WebAssembly.Memory): void {
    this.#memory = memory;
  }

  /** Sets the wall clock, which stands still until it is set again. */
  setTime(unixMs: number): void {
    this.#wallClockMs = unixMs;
  }

  #granted(): Record<string, Import> {
    return {
      sched_yield: () => success,
      proc_exit: (status: number): never => {
        throw new ModuleExit(status, this.#lastWords.trim());
      },
      args_sizes_get: (count: number, size: number) => this.#emptyList(count, size),
      environ_sizes_get: (count: number, size: number) => this.#emptyList(count, size),
      args_get: () => success,
      environ_get: () => success,
      clock_time_get: (clock: number, _precision: bigint, time: number) => {
        this.#view().setBigUint64(time, this.#now(clock), true);
        return success;
      },
      random_get: (address: number, length: number) => {
        randomFillSync(this.#bytes(address, length));
        return success;
      },
      fd_write: (descriptor: number, vectors: number, count: number, written: number) =>
        descriptor > standardError ? badDescriptor : this.#write(vectors, count, written),
      poll_oneoff: (subscriptions: number, events: number, count: number, happened: number) =>
        this.#sleep(subscriptions, events, count, happened),
      fd_prestat_get: () => badDescriptor,
      fd_fdstat_get: () => badDescriptor,
    };
  }

  /** A view of the memory as it is now: growing replaces its buffer. */
  #view(): DataView {
    if (this.#memory === undefined) throw new Error('the memory is not bound yet');
    return new DataView(this.#memory.buffer);
  }

  #bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.#view().buffer, address >>> 0, length >>> 0);
  }

  #now(clock: number): bigint {
    return clock === realtimeClock
      ? BigInt(Math.trunc(this.#wallClockMs)) * 1_000_000n
      : BigInt(Math.trunc(performance.now() * 1e6));
  }

  #emptyList(count: number, size: number): number {
    this.#view().setUint32(count, 0, true);
    this.#view().setUint32(size, 0, true);
    return success;
  }

  /** Keeps the beginning of what the module writes: Go tells there why it ends. */
  #write(vectors: number, count: number, written: number): number {
    const view = this.#view();
    let total = 0;
    for (let index = 0; index < count; index += 1) {
      const at = vectors + index * vectorBytes;
      const length = view.getUint32(at + 4, true);
      const room = Math.max(0, keptWords - this.#lastWords.length);
      const words = this.#bytes(view.getUint32(at, true), Math.min(length, room));
      this.#lastWords += Buffer.from(words).toString('utf8');
      total += length;
    }
    view.setUint32(written, total, true);
    return success;
  }

  /** Sleeps until the first of the wanted times, but not for long: the caller looks again. */
  #sleep(subscriptions: number, events: number, count: number, happened: number): number {
    let first = -1;
    let firstMs = Infinity;
    for (let index = 0; index < count; index += 1) {
      const at = subscriptions + index * subscriptionBytes;
      const waitMs = this.#waitOf(at);
      if (waitMs < firstMs) [first, firstMs] = [at, waitMs];
    }
    if (first < 0) return notSupported;
    const asleep = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(asleep, 0, 0, Math.min(Math.max(firstMs, 0), longestSleepMs));
    const view = this.#view();
    this.#bytes(events, eventBytes).fill(0);
    view.setBigUint64(events, view.getBigUint64(first, true), true);
    view.setUint32(happened, 1, true);
    return success;
  }

  /** Milliseconds until a subscription's time; never for one that waits for something else. */
  #waitOf(subscription: number): number {
    const view = this.#view();
    if (view.getUint8(subscription + 8) !== clockSubscription) return Infinity;
    const wanted = view.getBigUint64(subscription + 24, true);
    const isAbsolute = (view.getUint16(subscription + 40, true) & absoluteTime) !== 0;
    const now = this.#now(view.getUint32(subscription + 16, true));
    return Number(isAbsolute ? wanted - now : wanted) / 1e6;
  }
}
