import PQueue from 'p-queue';
import type { Clock } from '../model/clock.ts';
import { isAppError } from '../model/errors.ts';
import { backOffMs } from '../model/back-off.ts';
import { DelayLine } from './delay-line.ts';

/** What is new goes before what has been lying there since before we started. */
export type WorkPriority = 'new' | 'backlog';

/** What a worker says when it is done without a fault: look again after some time, or nothing. */
export interface WorkResult {
  readonly requeueAfterMs?: number;
}

/** Works off one key; a throw means: try again later. */
type Worker = (
  key: string,
  options: {
    readonly signal: AbortSignal;
    /** Failures in a row before this try. */
    readonly failures: number;
    /** Milliseconds that the key waited for a worker. */
    readonly waitedMs: number;
  },
) => Promise<WorkResult>;

/** A failed try, for logs and metrics. */
export interface WorkFault {
  readonly key: string;
  readonly error: unknown;
  /** Failures in a row, this one included. */
  readonly failures: number;
  readonly retryInMs: number;
}

/** How the queue is made. */
export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly worker: Worker;
  /** Keys in work at the same time. */
  readonly concurrency: number;
  /** Shortest pause after a failure, in milliseconds; 2 s if absent. */
  readonly baseMs?: number;
  /** Longest pause, in milliseconds; 1 h if absent. */
  readonly capMs?: number;
  /** The longest pause of this one key, in milliseconds, whatever a server asked for; undefined: `capMs` alone bounds it. */
  readonly longestPauseMs?: (key: string) => number | undefined;
  /** Keys that the queue holds at most; 100,000 if absent. */
  readonly maxKeys?: number;
  /** Called once the queue has room again after it refused keys: time to offer them again. */
  readonly onRoom?: () => void;
  /** Told of each failed try; must not throw. */
  readonly onFault?: (fault: WorkFault) => void;
  /** Numbers in [0, 1); `Math.random` if absent. */
  readonly random?: () => number;
}

/** What waits and what is in work, for metrics. */
export interface WorkQueueDepth {
  readonly fresh: number;
  readonly backlog: number;
  readonly delayed: number;
  readonly working: number;
  /** Keys whose last try failed. */
  readonly failing: number;
  /** Milliseconds that the key which is ready longest has been waiting for a worker; 0 if none is. */
  readonly oldestAgeMs: number;
}

// so many new keys in a row let one of the backlog through, so that it never starves
const freshBeforeBacklog = 8;
const abortGraceMs = 1000;

/**
 * A keyed queue with the semantics of client-go's workqueue: a key waits once, is never in work twice, and one that is
 * added while in work is worked again afterwards. A failed key comes back after a pause that grows with each failure,
 * drawn at random, and not before the server's own `Retry-After`; success forgets the failures. Nothing is given up.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #random: () => number;
  #pauses: { readonly baseMs: number; readonly capMs: number };
  readonly #maxKeys: number;
  readonly #workers: PQueue;
  /** Ready keys in the order of arrival, with the time of it. */
  readonly #ready: Record<WorkPriority, Map<string, number>> = { new: new Map(), backlog: new Map() };
  readonly #delayed = new DelayLine();
  /** Keys in work; the value says what to do with the key afterwards. */
  readonly #working = new Map<string, WorkPriority | undefined>();
  readonly #failures = new Map<string, number>();
  /** Keys in work whose earlier failures say nothing any more, nor does this try if it fails: it may have begun before the mend. */
  readonly #mended = new Set<string>();
  readonly #abort = new AbortController();
  #freshInARow = 0;
  #refused = false;
  #isClosed = false;
  #alarm: { readonly atMs: number; readonly cancel: AbortController } | undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#pauses = { baseMs: options.baseMs ?? 2000, capMs: options.capMs ?? 3_600_000 };
    this.#maxKeys = options.maxKeys ?? 100_000;
    this.#workers = new PQueue({ concurrency: options.concurrency });
  }

  /**
   * Makes `key` ready. A key that failed waits out its pause all the same, since our own patches come back as changes;
   * {@link retryNow} ends it. False if the queue is full or closed: then `onRoom` tells when to offer the key again.
   */
  add(key: string, priority: WorkPriority): boolean {
    if (!this.#admits(key)) return false;
    if (this.#isPausing(key)) return true;
    this.#delayed.remove(key);
    this.#makeReady(key, priority);
    this.#pump();
    return true;
  }

  /** Makes `key` ready after `ms` milliseconds, or when it was due anyway if that is earlier. False as {@link add}. */
  addAfter(key: string, ms: number): boolean {
    if (!this.#admits(key)) return false;
    if (!this.#isReady(key) && !this.#isPausing(key)) this.#delay(key, ms);
    return true;
  }

  /** Makes `key` ready and forgets its failures: what made it fail may be mended. */
  retryNow(key: string, priority: WorkPriority = 'new'): boolean {
    this.#failures.delete(key);
    if (this.#working.has(key)) this.#mended.add(key);
    return this.add(key, priority);
  }

  /** Changes how many keys are in work at once, and the pauses that begin from now on. */
  adjust({
    concurrency,
    ...pauses
  }: Required<Pick<WorkQueueOptions, 'concurrency' | 'baseMs' | 'capMs'>>): void {
    this.#pauses = pauses;
    this.#workers.concurrency = concurrency;
    this.#pump();
  }

  /** Forgets a key that needs no work any more, unless it is in work. */
  forget(key: string): void {
    this.#ready.new.delete(key);
    this.#ready.backlog.delete(key);
    this.#delayed.remove(key);
    this.#mended.delete(key);
    if (this.#working.has(key)) this.#working.set(key, undefined);
    else this.#failures.delete(key);
    this.#tellRoom();
  }

  depth(): WorkQueueDepth {
    const first = [this.#ready.new, this.#ready.backlog].flatMap((ready) => [...ready.values().take(1)]);
    const nowMs = this.#options.clock.now().getTime();
    return {
      fresh: this.#ready.new.size,
      backlog: this.#ready.backlog.size,
      delayed: this.#delayed.size,
      working: this.#working.size,
      failing: this.#failures.size,
      oldestAgeMs: first.length === 0 ? 0 : Math.max(0, nowMs - Math.min(...first)),
    };
  }

  /**
   * Takes and starts nothing more, waits up to `deadlineMs` for what is in work, then aborts it. Gives the number of
   * keys that were still in work after that: workers deaf to their signal.
   */
  async close({ deadlineMs }: { readonly deadlineMs: number }): Promise<number> {
    this.#isClosed = true;
    this.#alarm?.cancel.abort();
    await this.#idleWithin(deadlineMs);
    this.#abort.abort(new DOMException('the queue is closed', 'AbortError'));
    await this.#idleWithin(abortGraceMs);
    return this.#working.size;
  }

  async #idleWithin(ms: number): Promise<void> {
    const done = new AbortController();
    const sleep = this.#options.clock.sleep(ms, done.signal).catch(() => undefined);
    await Promise.race([this.#workers.onIdle(), sleep]);
    done.abort();
  }

  #admits(key: string): boolean {
    if (this.#isClosed) return false;
    const isKnown = this.#isReady(key) || this.#working.has(key) || this.#delayed.has(key);
    if (isKnown || this.#size() < this.#maxKeys) return true;
    this.#refused = true;
    return false;
  }

  #size(): number {
    return this.#ready.new.size + this.#ready.backlog.size + this.#delayed.size + this.#working.size;
  }

  #isReady(key: string): boolean {
    return this.#ready.new.has(key) || this.#ready.backlog.has(key);
  }

  #isPausing(key: string): boolean {
    return this.#failures.has(key) && this.#delayed.has(key);
  }

  #makeReady(key: string, priority: WorkPriority): void {
    if (this.#working.has(key)) {
      if (this.#working.get(key) !== 'new') this.#working.set(key, priority);
      return;
    }
    if (this.#ready.new.has(key)) return;
    const sinceMs = this.#ready.backlog.get(key);
    if (sinceMs !== undefined && priority === 'backlog') return;
    this.#ready.backlog.delete(key);
    this.#ready[priority].set(key, this.#options.clock.now().getTime());
  }

  #delay(key: string, ms: number): void {
    this.#delayed.add(key, this.#options.clock.now().getTime() + Math.max(0, ms));
    this.#setAlarm();
  }

  #setAlarm(): void {
    const atMs = this.#delayed.nextDueAtMs();
    if (atMs === undefined || this.#isClosed || (this.#alarm !== undefined && this.#alarm.atMs <= atMs))
      return;
    this.#alarm?.cancel.abort();
    const alarm = { atMs, cancel: new AbortController() };
    this.#alarm = alarm;
    const waitMs = Math.max(0, atMs - this.#options.clock.now().getTime());
    this.#options.clock.sleep(waitMs, alarm.cancel.signal).then(
      () => {
        if (this.#alarm === alarm) this.#ring();
      },
      () => undefined,
    );
  }

  #ring(): void {
    this.#alarm = undefined;
    if (this.#isClosed) return;
    const nowMs = this.#options.clock.now().getTime();
    for (let key = this.#delayed.takeDue(nowMs); key !== undefined; key = this.#delayed.takeDue(nowMs)) {
      this.#makeReady(key, this.#failures.has(key) ? 'backlog' : 'new');
    }
    this.#setAlarm();
    this.#pump();
  }

  #pump(): void {
    while (!this.#isClosed && this.#working.size < this.#workers.concurrency) {
      const taken = this.#take();
      if (taken === undefined) return;
      const [key, sinceMs] = taken;
      this.#working.set(key, undefined);
      // the task never rejects: #work turns every throw into a pause
      void this.#workers.add(() => this.#work(key, sinceMs));
    }
  }

  #take(): readonly [key: string, sinceMs: number] | undefined {
    const { new: fresh, backlog } = this.#ready;
    const isBacklogsTurn = backlog.size > 0 && this.#freshInARow >= freshBeforeBacklog;
    const source = fresh.size === 0 || isBacklogsTurn ? backlog : fresh;
    const [first] = source.entries().take(1);
    if (first === undefined) return undefined;
    this.#freshInARow = source === fresh ? this.#freshInARow + 1 : 0;
    source.delete(first[0]);
    return first;
  }

  async #work(key: string, sinceMs: number): Promise<void> {
    const failures = this.#failures.get(key) ?? 0;
    const waitedMs = Math.max(0, this.#options.clock.now().getTime() - sinceMs);
    let pauseMs: number | undefined;
    try {
      const result = await this.#options.worker(key, { signal: this.#abort.signal, failures, waitedMs });
      this.#failures.delete(key);
      pauseMs = result.requeueAfterMs;
    } catch (error) {
      pauseMs = this.#fail(key, failures + 1, error);
    }
    const again = this.#working.get(key);
    this.#working.delete(key);
    this.#mended.delete(key);
    if (again !== undefined && !this.#failures.has(key)) this.#makeReady(key, again);
    else if (pauseMs !== undefined) this.#delay(key, pauseMs);
    this.#tellRoom();
    this.#pump();
  }

  #fail(key: string, failures: number, error: unknown): number {
    // Not at once: a worker whose own write mends its key, and which then fails, would do nothing else any more.
    const counted = this.#mended.has(key) ? 1 : failures;
    this.#failures.set(key, counted);
    const drawnMs = backOffMs(counted, this.#pauses, this.#random);
    const asked = isAppError(error) ? error.retryAfterMs : undefined;
    const longestMs = this.#options.longestPauseMs?.(key) ?? Infinity;
    const retryInMs = Math.min(Math.max(drawnMs, asked ?? 0), longestMs);
    this.#options.onFault?.({ key, error, failures: counted, retryInMs });
    return retryInMs;
  }

  #tellRoom(): void {
    if (!this.#refused || this.#size() > this.#maxKeys / 2) return;
    this.#refused = false;
    this.#options.onRoom?.();
  }
}
