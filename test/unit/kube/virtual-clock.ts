import type { Clock } from '../../../src/model/clock.ts';

interface Sleeper {
  readonly dueAtMs: number;
  wake(): void;
}

/** A clock that stands still until a test moves it on. */
export class VirtualClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1);
  readonly #sleepers = new Set<Sleeper>();

  now(): Date {
    return new Date(this.#nowMs);
  }

  /** Sleeps that nobody woke or cancelled yet. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const sleeper = { dueAtMs: this.#nowMs + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason as Error);
      });
    });
  }

  /** Moves on by `ms`, waking sleepers in the order of their time and letting their work run in between. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#nextBefore(endMs); next !== undefined; next = this.#nextBefore(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.dueAtMs);
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #nextBefore(endMs: number): Sleeper | undefined {
    const due = [...this.#sleepers].filter((sleeper) => sleeper.dueAtMs <= endMs);
    return due.sort((a, b) => a.dueAtMs - b.dueAtMs)[0];
  }
}

/** Lets everything that is ready to run do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
