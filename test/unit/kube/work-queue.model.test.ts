import { expect } from 'chai';
import fc from 'fast-check';
import { WorkQueue } from '../../../src/kube/work-queue.ts';
import type { WorkResult } from '../../../src/kube/work-queue.ts';
import { VirtualClock, settle } from './virtual-clock.ts';

/** Drives a queue at random and checks it against what each key is owed: work that began after its last addition. */
class Harness {
  readonly clock = new VirtualClock();
  readonly owed = new Set<string>();
  /** Rules seen broken; a throw within the worker would count as a failure of the work. */
  readonly violations: string[] = [];
  readonly #running = new Map<string, (end: 'done' | 'fail' | 'again') => void>();
  readonly queue: WorkQueue;

  constructor(concurrency: number, random: () => number) {
    this.queue = new WorkQueue({
      clock: this.clock,
      concurrency,
      random,
      worker: (key) => this.#begin(key, concurrency),
    });
  }

  offer(key: string, how: 'new' | 'backlog' | 'after' | 'retry'): void {
    this.owed.add(key);
    if (how === 'after') this.queue.addAfter(key, 3000);
    else if (how === 'retry') this.queue.retryNow(key);
    else this.queue.add(key, how);
  }

  async end(index: number, how: 'done' | 'fail' | 'again'): Promise<void> {
    const keys = [...this.#running.keys()];
    const key = keys[index % Math.max(1, keys.length)];
    if (key === undefined) return;
    const finish = this.#running.get(key);
    this.#running.delete(key);
    finish?.(how);
    await settle();
  }

  /** Ends everything well, until nothing comes any more. */
  async finishAll(): Promise<void> {
    for (let round = 0; round < 200; round += 1) {
      await this.clock.advance(3_600_000);
      if (this.#running.size === 0) return;
      while (this.#running.size > 0) await this.end(0, 'done');
    }
    throw new Error('work never ends');
  }

  #begin(key: string, concurrency: number): Promise<WorkResult> {
    if (this.#running.has(key)) this.violations.push(`${key} is in work already`);
    if (this.#running.size >= concurrency) this.violations.push('too many keys are in work');
    this.owed.delete(key);
    return new Promise((resolve, reject) => {
      this.#running.set(key, (how) => {
        if (how === 'fail') {
          this.owed.add(key);
          reject(new Error('failed'));
        } else {
          if (how === 'again') this.owed.add(key);
          resolve(how === 'again' ? { requeueAfterMs: 1000 } : {});
        }
      });
    });
  }
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const step = fc.oneof(
  fc.record({
    do: fc.constant('offer' as const),
    key,
    how: fc.constantFrom('new' as const, 'backlog' as const, 'after' as const, 'retry' as const),
  }),
  fc.record({
    do: fc.constant('end' as const),
    index: fc.nat(4),
    how: fc.constantFrom('done' as const, 'fail' as const, 'again' as const),
  }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(20_000) }),
);

describe('WorkQueue, driven at random', () => {
  it('never works on a key twice at a time and loses nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 3 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (steps, concurrency, luck) => {
          const harness = new Harness(concurrency, () => luck);
          for (const now of steps) {
            if (now.do === 'offer') harness.offer(now.key, now.how);
            else if (now.do === 'end') await harness.end(now.index, now.how);
            else await harness.clock.advance(now.ms);
          }
          await harness.finishAll();
          expect(harness.violations).to.deep.equal([]);
          expect([...harness.owed]).to.deep.equal([]);
          expect(harness.queue.depth()).to.deep.equal({
            fresh: 0,
            backlog: 0,
            delayed: 0,
            working: 0,
            failing: 0,
            oldestAgeMs: 0,
          });
          expect(await harness.queue.close({ deadlineMs: 0 })).to.equal(0);
        },
      ),
      { numRuns: 150 },
    );
  });
});
