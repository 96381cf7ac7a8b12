import { randomFillSync } from 'node:crypto';

/** Thrown through a module that asked to end: its instance is of no use any more. */
export class ModuleExit extends Error {
  constructor(status: number, lastWords: string) {
    super(lastWords === '' ? `the evaluator ended with status ${status}` : lastWords);
    this.name = 'ModuleExit';
  }
}

/** What an instance is given, and how the host sets its clock and reads its last words. */
export interface WasiHost {
  readonly imports: WebAssembly.Imports;
  /** Binds the instance's memory; to be called before its first export. */
  bind(memory: WebAssembly.Memory): void;
  /** Sets the wall clock, which stands still until it is set again. */
  setTime(unixMs: number): void;
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
const keptWords = 2_000;
const longestSleepMs = 50;
const standardError = 2;

type Import = (...args: never[]) => number;

/**
 * The part of WASI (wasi_snapshot_preview1) that Go's runtime cannot do without: clocks, random bytes, sleep, and
 * writing its last words. Everything else, files, folders, sockets, arguments and environment, is refused. Node's own
 * WASI is not used since its documentation denies that it contains untrusted code.
 */
export function createWasiHost(): WasiHost {
  let memory: WebAssembly.Memory | undefined;
  let lastWords = '';
  let wallClockMs = 0;

  const view = (): DataView => {
    if (memory === undefined) throw new Error('the memory is not bound yet');
    return new DataView(memory.buffer);
  };
  const bytes = (address: number, length: number): Uint8Array =>
    new Uint8Array(view().buffer, address >>> 0, length >>> 0);
  const now = (clock: number): bigint =>
    clock === realtimeClock
      ? BigInt(Math.trunc(wallClockMs)) * 1_000_000n
      : BigInt(Math.trunc(performance.now() * 1e6));

  const write = (descriptor: number, vectors: number, count: number, written: number): number => {
    if (descriptor > standardError) return badDescriptor;
    let total = 0;
    for (let index = 0; index < count; index += 1) {
      const at = vectors + index * 8;
      const length = view().getUint32(at + 4, true);
      const room = Math.max(0, keptWords - lastWords.length);
      lastWords += Buffer.from(bytes(view().getUint32(at, true), Math.min(length, room))).toString('utf8');
      total += length;
    }
    view().setUint32(written, total, true);
    return success;
  };

  /** Sleeps until the first of the wanted times, but not for long: the caller looks again. */
  const poll = (subscriptions: number, events: number, count: number, happened: number): number => {
    let first = -1;
    let firstMs = Infinity;
    for (let index = 0; index < count; index += 1) {
      const at = subscriptions + index * subscriptionBytes;
      if (view().getUint8(at + 8) !== clockSubscription) continue;
      const wanted = view().getBigUint64(at + 24, true);
      const isAbsolute = (view().getUint16(at + 40, true) & absoluteTime) !== 0;
      const waitMs = Number(isAbsolute ? wanted - now(view().getUint32(at + 16, true)) : wanted) / 1e6;
      if (waitMs < firstMs) [first, firstMs] = [at, waitMs];
    }
    if (first < 0) return notSupported;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.min(Math.max(firstMs, 0), longestSleepMs));
    bytes(events, eventBytes).fill(0);
    view().setBigUint64(events, view().getBigUint64(first, true), true);
    view().setUint32(happened, 1, true);
    return success;
  };

  const granted: Record<string, Import> = {
    sched_yield: () => success,
    proc_exit: (status: number): never => {
      throw new ModuleExit(status, lastWords.trim());
    },
    args_sizes_get: (count: number, size: number) => emptyList(view(), count, size),
    environ_sizes_get: (count: number, size: number) => emptyList(view(), count, size),
    args_get: () => success,
    environ_get: () => success,
    clock_time_get: (clock: number, _precision: bigint, time: number) => {
      view().setBigUint64(time, now(clock), true);
      return success;
    },
    random_get: (address: number, length: number) => {
      randomFillSync(bytes(address, length));
      return success;
    },
    fd_write: write,
    poll_oneoff: poll,
    fd_prestat_get: () => badDescriptor,
    fd_fdstat_get: () => badDescriptor,
  };
  const refuse: Import = () => notSupported;

  return {
    imports: {
      wasi_snapshot_preview1: new Proxy(granted, {
        get: (calls, name) => (typeof name === 'string' ? (calls[name] ?? refuse) : undefined),
      }),
    },
    bind: (bound) => {
      memory = bound;
    },
    setTime: (unixMs) => {
      wallClockMs = unixMs;
    },
  };
}

function emptyList(view: DataView, count: number, size: number): number {
  view.setUint32(count, 0, true);
  view.setUint32(size, 0, true);
  return success;
}
