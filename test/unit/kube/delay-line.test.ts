import { expect } from 'chai';
import fc from 'fast-check';
import { DelayLine } from '../../../src/kube/delay-line.ts';

describe('DelayLine', () => {
  it('gives a key once, at its earliest time', () => {
    const line = new DelayLine();
    line.add('a', 50);
    line.add('a', 20);
    line.add('a', 90);
    expect(line.nextDueAtMs()).to.equal(20);
    expect(line.takeDue(19)).to.equal(undefined);
    expect(line.takeDue(20)).to.equal('a');
    expect(line.takeDue(1000)).to.equal(undefined);
    expect(line.size).to.equal(0);
  });

  it('gives what a sorted list would, whatever is added, removed and taken', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), key, at: fc.integer({ min: 0, max: 40 }) }),
      fc.record({ do: fc.constant('remove' as const), key }),
      fc.record({ do: fc.constant('take' as const), now: fc.integer({ min: 0, max: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const line = new DelayLine();
        const model = new Map<string, number>();
        for (const now of steps) {
          if (now.do === 'add') {
            line.add(now.key, now.at);
            model.set(now.key, Math.min(now.at, model.get(now.key) ?? Infinity));
          } else if (now.do === 'remove') {
            line.remove(now.key);
            model.delete(now.key);
          } else {
            const taken = line.takeDue(now.now);
            const earliest = Math.min(...model.values());
            expect(taken === undefined ? undefined : model.get(taken)).to.equal(
              earliest <= now.now ? earliest : undefined,
            );
            if (taken !== undefined) model.delete(taken);
          }
          expect(line.size).to.equal(model.size);
          expect(line.nextDueAtMs() ?? Infinity).to.equal(Math.min(...model.values()));
        }
      }),
    );
  });
});
