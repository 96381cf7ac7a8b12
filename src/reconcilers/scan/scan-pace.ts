import PQueue from 'p-queue';
import type { Clock } from '../../model/clock.ts';

/** Turns that come at an even pace: at most so many in a second, without a burst after a pause. */
export class ScanPace {
  readonly #perTurnMs: number;
  readonly #clock: Clock;
  readonly #waiting = new PQueue({ concurrency: 1 });
  #nextMs = 0;

  constructor(perSecond: number, clock: Clock) {
    this.#perTurnMs = 1000 / perSecond;
    this.#clock = clock;
  }

  /** Resolves when the next turn has come; who leaves before, when `signal` aborts, gives the place to the next. */
  async turn(signal: AbortSignal): Promise<void> {
    await this.#waiting.add(() => this.#next(signal), { signal });
  }

  async #next(signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.now().getTime();
    const atMs = Math.max(nowMs, this.#nextMs);
    if (atMs > nowMs) await this.#clock.sleep(atMs - nowMs, signal);
    this.#nextMs = atMs + this.#perTurnMs;
  }
}
