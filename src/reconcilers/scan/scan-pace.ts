import type { Clock } from '../../model/clock.ts';

/** Turns that come at an even pace: at most so many in a second, without a burst after a pause. */
export class ScanPace {
  readonly #perTurnMs: number;
  readonly #clock: Clock;
  #nextMs = 0;

  constructor(perSecond: number, clock: Clock) {
    this.#perTurnMs = 1000 / perSecond;
    this.#clock = clock;
  }

  /** Resolves when the next turn has come. */
  async turn(signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.now().getTime();
    const atMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = atMs + this.#perTurnMs;
    if (atMs > nowMs) await this.#clock.sleep(atMs - nowMs, signal);
  }
}
