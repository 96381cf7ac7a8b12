import { LRUCache } from 'lru-cache';
import { withDeadline } from '../kube/deadline.ts';
import type { Clock } from '../model/clock.ts';
import { fromHttpFault, isAppError } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';

/** How long an answer serves, and by which clock. */
export interface ExternalValuesOptions {
  readonly maxAgeMs: number;
  readonly clock: Pick<Clock, 'now'>;
}

/** Loads a value anew. */
type Load<Value> = (options: { readonly signal: AbortSignal }) => Promise<Value>;

interface Kept<Value> {
  readonly value: Value;
  readonly readAtMs: number;
  /** Why it could not be read anew, and when that may be tried again. */
  readonly failure?: { readonly fault: AppError; readonly retryAtMs: number };
}

const deadlineMs = 30_000;
const maxValues = 1024;
// One compilation asks more than once, and policies share servers: each failure is waited for once.
const retryMs = 1000;

/**
 * Values that lie outside the cluster and tell nobody when they change: read anew once they are too old. While their
 * server is away the last one serves on; a lasting fault, such as another content than the one asked for, is thrown.
 */
export class ExternalValues<Value extends object | string> {
  readonly #options: ExternalValuesOptions;
  readonly #kept = new LRUCache<string, Kept<Value>>({ max: maxValues });
  readonly #loading = new Map<string, Promise<Value>>();

  constructor(options: ExternalValuesOptions) {
    this.#options = options;
  }

  /** The value of that key. Throws what `load` throws, unless it is passing and there is an older value. */
  async get(key: string, load: Load<Value>, signal: AbortSignal): Promise<Value> {
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.#serves(kept)) return kept.value;
    const loading = this.#loading.get(key) ?? this.#load(key, load, signal);
    this.#loading.set(key, loading);
    try {
      return await loading;
    } catch (error) {
      signal.throwIfAborted();
      if (kept === undefined || !isAppError(error) || error.kind !== 'passing') throw error;
      const retryAtMs = this.#options.clock.now().getTime() + retryMs;
      this.#kept.set(key, { ...kept, failure: { fault: error, retryAtMs } });
      return kept.value;
    }
  }

  /** Why an older value serves on, if it does. */
  faultOf(key: string): AppError | undefined {
    return this.#kept.peek(key)?.failure?.fault;
  }

  #serves({ readAtMs, failure }: Kept<Value>): boolean {
    const nowMs = this.#options.clock.now().getTime();
    return failure === undefined ? nowMs - readAtMs < this.#options.maxAgeMs : nowMs < failure.retryAtMs;
  }

  async #load(key: string, load: Load<Value>, signal: AbortSignal): Promise<Value> {
    try {
      const value = await withDeadline(deadlineMs, signal, (bounded) => load({ signal: bounded }));
      this.#kept.set(key, { value, readAtMs: this.#options.clock.now().getTime() });
      return value;
    } catch (error) {
      signal.throwIfAborted();
      throw fromHttpFault(error, 'ERR_POLICY_REFERENCE', key);
    } finally {
      this.#loading.delete(key);
    }
  }
}
