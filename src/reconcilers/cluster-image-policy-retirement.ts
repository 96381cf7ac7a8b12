import type { Clock } from '../model/clock.ts';
import type { PolicyCompilation } from './cluster-image-policy-compilation.ts';

/** When a replaced policy is forgotten. */
export interface RetirementOptions {
  /** Longer than any admission review lasts, since one that runs may still judge by it. */
  readonly graceMs: number;
  readonly clock: Clock;
}

/** Policies that were replaced: their evaluators are released once nothing can be judging by them any more. */
export class Retirement {
  readonly #options: RetirementOptions;
  readonly #leaving = new Set<PolicyCompilation>();
  readonly #stop = new AbortController();

  constructor(options: RetirementOptions) {
    this.#options = options;
  }

  /** Policies that wait for their release. */
  get size(): number {
    return this.#leaving.size;
  }

  /** Takes a compilation that nobody gets any more from now on. */
  retire(compilation: PolicyCompilation): void {
    const { clock, graceMs } = this.#options;
    this.#leaving.add(compilation);
    const release = async (): Promise<void> => {
      this.#leaving.delete(compilation);
      await compilation.release();
    };
    // An early end of the wait is the end of the process: its threads take everything with them.
    clock.sleep(graceMs, this.#stop.signal).then(release, () => undefined);
  }

  /** Waits for nothing any more. */
  close(): void {
    this.#stop.abort();
  }
}
