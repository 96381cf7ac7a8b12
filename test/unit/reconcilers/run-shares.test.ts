import { expect } from 'chai';
import { silentLog } from '../../../src/model/log.ts';
import { RunShares } from '../../../src/reconcilers/run-shares.ts';
import type { RunSharesParts } from '../../../src/reconcilers/run-shares.ts';
import { LeaseWorld } from '../kube/leases/lease-world.ts';
import { VirtualClock, settle } from '../kube/virtual-clock.ts';

/** A replica with what it was told. */
interface Replica {
  readonly shares: RunShares;
  readonly gained: number[];
  readonly lost: number[];
  readonly stop: AbortController;
  readonly running: Promise<void>;
}

const keys = Array.from({ length: 400 }, (_, index) => `team/run-${index}`);
const never = new AbortController().signal;

describe('runs shared among replicas', () => {
  let world: LeaseWorld;
  let clock: VirtualClock;
  let replicas: Replica[];

  beforeEach(() => {
    clock = new VirtualClock();
    world = new LeaseWorld(clock);
    replicas = [];
  });
  afterEach(async () => {
    for (const { stop } of replicas) stop.abort();
    await clock.advance(30_000);
    await Promise.all(replicas.map(({ running }) => running));
  });

  function join(identity: string, more: Partial<RunSharesParts> = {}): Replica {
    const shares = new RunShares({
      client: world.client,
      ...{ namespace: 'chains', identity, watched: [], finishMs: 5000, clock, log: silentLog },
      elapsedMs: () => clock.now().getTime(),
      random: () => 0.5,
      ...more,
    });
    const [gained, lost, stop] = [[] as number[], [] as number[], new AbortController()];
    const running = shares.run({
      signal: stop.signal,
      onGained: (share) => gained.push(share),
      onLost: (share) => lost.push(share),
    });
    const replica = { shares, gained, lost, stop, running };
    replicas.push(replica);
    return replica;
  }

  it('are all the only replica’s at once', async () => {
    const { shares } = join('one');
    await settle();
    expect(keys.every((key) => shares.holds(key))).to.equal(true);
    expect(shares.isFirst).to.equal(true);
  });

  it('are each one replica’s, spread evenly, and one replica is the first', async () => {
    const all = ['one', 'two', 'three'].map((name) => join(name).shares);
    await clock.advance(30_000);
    for (const key of keys) expect(all.filter((shares) => shares.holds(key))).to.have.length(1);
    expect(all.map((shares) => shares.health().held.length).toSorted()).to.deep.equal([2, 3, 3]);
    expect(all.filter(({ isFirst }) => isFirst)).to.have.length(1);
  });

  it('are not shared with a replica that watches other namespaces', async () => {
    const [one, two] = [join('one', { watched: ['a'] }).shares, join('two', { watched: ['b'] }).shares];
    await clock.advance(30_000);
    expect(keys.every((key) => one.holds(key) && two.holds(key))).to.equal(true);
  });

  it('are taken up at once by a process that starts again under its name', async () => {
    const dead = join('one', { client: world.client });
    await settle();
    const again = join('one');
    await settle();
    expect(keys.every((key) => again.shares.holds(key))).to.equal(true);
    expect(dead.gained).to.deep.equal(again.gained);
  });

  it('are not worked by a replica that does not hold them', async () => {
    const { shares } = join('one');
    let isDone = false;
    await shares.work('team/run', never, () => {
      isDone = true;
      return Promise.resolve();
    });
    expect(isDone).to.equal(false);
  });

  describe('when another replica comes while one is in work', () => {
    let one: Replica;
    let two: Replica;
    let moved: string;
    const release = (): PromiseWithResolvers<undefined> => Promise.withResolvers<undefined>();

    /** Starts work on runs of all shares, so that those that move are among them. */
    async function workThenJoin(work: (key: string, signal: AbortSignal) => Promise<void>): Promise<void> {
      one = join('one');
      await settle();
      for (const key of keys) void one.shares.work(key, never, (signal) => work(key, signal));
      two = join('two');
      await clock.advance(4500);
      moved = keys.find((key) => !one.shares.holds(key)) ?? '';
      expect(one.lost, 'shares that move').to.have.length(4);
    }

    it('lets it finish before the other one may begin', async () => {
      const { promise, resolve } = release();
      const aborted: string[] = [];
      await workThenJoin(async (key, signal) => {
        signal.addEventListener('abort', () => aborted.push(key));
        await promise;
      });
      expect(two.shares.holds(moved), 'the other one').to.equal(false);
      resolve(undefined);
      await clock.advance(4500);
      expect(two.shares.holds(moved), 'the other one').to.equal(true);
      expect(aborted).to.deep.equal([]);
    });

    it('breaks it off after its time, and takes that for no fault', async () => {
      const results: string[] = [];
      await workThenJoin(async (key, signal) => {
        const aborted = release();
        signal.addEventListener('abort', () => {
          aborted.resolve(undefined);
        });
        await aborted.promise;
        expect(two.shares.holds(key), 'the other one').to.equal(false);
        results.push(key);
        signal.throwIfAborted();
      });
      await clock.advance(10_000);
      expect(results).to.include(moved);
      expect(two.shares.holds(moved), 'the other one').to.equal(true);
    });
  });

  it('are handed on at once by a replica that ends and has nothing in work', async () => {
    const [one, two] = [join('one'), join('two')];
    await clock.advance(20_000);
    one.stop.abort();
    await settle();
    await clock.advance(2500);
    expect(keys.every((key) => two.shares.holds(key))).to.equal(true);
    expect(one.lost).to.have.length(8);
  });

  it('pass on what work throws', async () => {
    const { shares } = join('one');
    await settle();
    const outcome = await shares.work('team/run', never, () => Promise.reject(new Error('no'))).catch(String);
    expect(outcome).to.equal('Error: no');
  });
});
