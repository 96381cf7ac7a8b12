import { SharedWork } from '../model/shared-work.ts';
import type { VerdictCache, VerdictKey } from './verdict-cache.ts';

/** How judging behaves for whom nobody waits. */
export interface BackgroundPace {
  /** How old a result may be, in milliseconds. */
  readonly maxAgeMs: number;
  /** Resolves once evidence may be asked for; gives its place back when the signal aborts. */
  readonly turn: (signal: AbortSignal) => Promise<void>;
}

/** What evidence would be fetched for. */
export interface WantedEvidence {
  /** Results that may be remembered; who waits for the same ones waits for the same turns. */
  readonly remembered: readonly VerdictKey[];
  /** How many further policies look at the object: what they find out is never remembered. */
  readonly others: number;
}

/** Turns of those who judge in the background, taken before the time for judging begins. */
export class BackgroundTurns {
  readonly #verdicts: VerdictCache;
  readonly #shared = new SharedWork<undefined>();

  constructor(verdicts: VerdictCache) {
    this.#verdicts = verdicts;
  }

  /** Waits for a turn for each fetch that is to come. Rejects with the reason of `signal`. */
  async take(
    { remembered, others }: WantedEvidence,
    pace: BackgroundPace,
    signal: AbortSignal,
  ): Promise<void> {
    const unknown = remembered.filter((key) => !this.#verdicts.has(key, pace.maxAgeMs));
    if (unknown.length > 0) {
      const names = unknown.map(({ policy, ...rest }) => ({ policy: policy.name, ...rest }));
      await this.#shared.join(
        JSON.stringify(names),
        (shared) => this.#takeAll(unknown, pace, shared),
        signal,
      );
    }
    for (let left = others; left > 0; left -= 1) await pace.turn(signal);
  }

  async #takeAll(
    keys: readonly VerdictKey[],
    { turn, maxAgeMs }: BackgroundPace,
    signal: AbortSignal,
  ): Promise<undefined> {
    // The door may find something out while others are waited for.
    for (const key of keys) if (!this.#verdicts.has(key, maxAgeMs)) await turn(signal);
    return undefined;
  }
}
