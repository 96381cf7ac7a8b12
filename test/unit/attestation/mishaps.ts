import { AppError } from '../../../src/model/errors.ts';

/** A call that goes wrong: before it did anything, after it did everything, or with the death of the process. */
export type Mishap = 'fails-before' | 'fails-after' | 'dies-before' | 'dies-after';

/** Decides for each call, by its name and its number among all calls, whether it goes wrong. */
export type MishapPlan = (step: string, index: number) => Mishap | undefined;

/** How a process ends that is killed; nothing after it does anything. */
export class Death extends Error {}

/** Stands around the calls that a process makes, notes them and lets some go wrong. */
export class Mishaps {
  /** Names of all calls, in the order in which they began. */
  readonly steps: string[] = [];
  plan: MishapPlan = () => undefined;
  readonly #underWay = new Set<Promise<unknown>>();
  #isDead = false;

  /** Makes the calls of `target` named in `methods` go through {@link around}, as `name.method`. */
  wrap<Target extends object>(name: string, target: Target): Target {
    return new Proxy(target, {
      get: (_, property) => {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== 'function') return value;
        const call = value as (...given: unknown[]) => Promise<unknown>;
        return (...given: unknown[]) =>
          this.around(`${name}.${String(property)}`, async () => call.apply(target, given));
      },
    });
  }

  async around<Result>(step: string, work: () => Promise<Result>): Promise<Result> {
    this.#checkAlive();
    const mishap = this.plan(step, this.steps.length);
    this.steps.push(step);
    if (mishap === 'dies-before' || mishap === 'fails-before') this.#strike(mishap, step);
    const working = work();
    this.#underWay.add(working);
    const result = await working.finally(() => this.#underWay.delete(working));
    this.#checkAlive();
    if (mishap !== undefined) this.#strike(mishap, step);
    return result;
  }

  /** Resolves once what was sent before the process died has arrived. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  #checkAlive(): void {
    if (this.#isDead) throw new Death('dead');
  }

  #strike(mishap: Mishap, step: string): never {
    if (mishap.startsWith('dies')) {
      this.#isDead = true;
      throw new Death(step);
    }
    throw new AppError('ERR_TEST_MISHAP', `${step} went wrong`, { kind: 'passing' });
  }
}
