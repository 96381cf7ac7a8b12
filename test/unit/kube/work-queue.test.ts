import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import { WorkQueue } from '../../../src/kube/work-queue.ts';
import type { WorkFault, WorkQueueOptions, WorkResult } from '../../../src/kube/work-queue.ts';
import { VirtualClock, settle } from './virtual-clock.ts';

interface Job {
  readonly key: string;
  readonly signal: AbortSignal;
  readonly failures: number;
  done(result?: WorkResult): Promise<void>;
  fail(error?: Error): Promise<void>;
}

describe('WorkQueue', () => {
  let clock: VirtualClock;
  let jobs: Job[];
  let started: string[];
  let faults: WorkFault[];

  beforeEach(() => {
    clock = new VirtualClock();
    jobs = [];
    started = [];
    faults = [];
  });

  function open(options: Partial<WorkQueueOptions> = {}): WorkQueue {
    return new WorkQueue({
      clock,
      concurrency: 1,
      random: () => 0,
      onFault: (fault) => faults.push(fault),
      worker: (key, { signal, failures }) => {
        started.push(key);
        return new Promise((resolve, reject) => {
          jobs.push({
            key,
            signal,
            failures,
            done: (result = {}) => (resolve(result), settle()),
            fail: (error = new Error('no')) => (reject(error), settle()),
          });
        });
      },
      ...options,
    });
  }

  const current = (): Job => {
    const job = jobs.at(-1);
    if (job === undefined) throw new Error('nothing is in work');
    return job;
  };

  it('works off keys in the order of arrival, each waiting once', async () => {
    const queue = open();
    for (const key of ['a', 'b', 'c', 'b']) queue.add(key, 'new');
    await settle();
    for (let index = 0; index < 3; index += 1) await current().done();
    expect(started).to.deep.equal(['a', 'b', 'c']);
  });

  it('works on as many keys at a time as it may', async () => {
    const queue = open({ concurrency: 2 });
    for (const key of ['a', 'b', 'c']) queue.add(key, 'new');
    await settle();
    expect(started).to.deep.equal(['a', 'b']);
    await jobs[0]?.done();
    expect(started).to.deep.equal(['a', 'b', 'c']);
  });

  it('never works on a key twice at a time, and once more when it was added meanwhile', async () => {
    const queue = open({ concurrency: 4 });
    queue.add('a', 'new');
    await settle();
    queue.add('a', 'new');
    queue.add('a', 'new');
    await settle();
    expect(started).to.deep.equal(['a']);
    await current().done();
    expect(started).to.deep.equal(['a', 'a']);
    await current().done();
    expect(started).to.deep.equal(['a', 'a']);
  });

  it('takes new keys before the backlog, and lifts a key of the backlog that is new', async () => {
    const queue = open();
    for (const key of ['first', 'old-1', 'old-2']) queue.add(key, 'backlog');
    queue.add('new', 'new');
    queue.add('old-2', 'new');
    await settle();
    for (let index = 0; index < 4; index += 1) await current().done();
    expect(started).to.deep.equal(['first', 'new', 'old-2', 'old-1']);
  });

  it('lets one key of the backlog through after eight new ones', async () => {
    const queue = open();
    queue.add('running', 'new');
    queue.add('old', 'backlog');
    for (let index = 0; index < 20; index += 1) queue.add(`new-${index}`, 'new');
    await settle();
    for (let index = 0; index < 12; index += 1) await current().done();
    expect(started.indexOf('old')).to.equal(8);
  });

  it('brings a failed key back after a pause that grows, and forgets the failures on success', async () => {
    const queue = open({ random: () => 1 });
    queue.add('a', 'new');
    await settle();
    for (const pauseMs of [4000, 8000, 16_000]) {
      await current().fail();
      const count = jobs.length;
      await clock.advance(pauseMs - 1);
      expect(jobs).to.have.length(count);
      await clock.advance(1);
      expect(jobs).to.have.length(count + 1);
    }
    expect(current().failures).to.equal(3);
    expect(queue.depth().failing).to.equal(1);
    await current().done();
    expect(queue.depth().failing).to.equal(0);
    queue.add('a', 'new');
    await settle();
    await current().fail();
    expect(faults.map((fault) => [fault.failures, fault.retryInMs])).to.deep.equal([
      [1, 4000],
      [2, 8000],
      [3, 16_000],
      [1, 4000],
    ]);
  });

  it('never pauses for longer than an hour', async () => {
    const queue = open({ random: () => 1 });
    queue.add('a', 'new');
    await settle();
    for (let index = 0; index < 20; index += 1) {
      await current().fail();
      await clock.advance(3_600_000);
    }
    expect(faults.at(-1)?.retryInMs).to.equal(3_600_000);
    expect(jobs).to.have.length(21);
  });

  it("waits at least as long as the server's Retry-After", async () => {
    const queue = open();
    queue.add('a', 'new');
    await settle();
    await current().fail(new AppError('ERR_X', 'busy', { kind: 'passing', retryAfterMs: 60_000 }));
    await clock.advance(59_999);
    expect(jobs).to.have.length(1);
    await clock.advance(1);
    expect(jobs).to.have.length(2);
  });

  it('keeps the pause of a failed key whatever changes, until retryNow', async () => {
    const queue = open();
    queue.add('a', 'new');
    await settle();
    queue.add('a', 'new');
    await current().fail();
    queue.add('a', 'new');
    queue.addAfter('a', 1);
    await clock.advance(1999);
    expect(jobs).to.have.length(1);
    queue.retryNow('a');
    await settle();
    expect(jobs).to.have.length(2);
    expect(current().failures).to.equal(0);
  });

  it('counts failures anew if what fails began before its key was mended', async () => {
    const queue = open({ baseMs: 1000, capMs: 600_000 });
    queue.add('a', 'new');
    await settle();
    for (let failure = 0; failure < 5; failure += 1) {
      await current().fail();
      await clock.advance(600_000);
    }
    expect(current().failures).to.equal(5);
    queue.retryNow('a');
    await current().fail();
    expect(jobs).to.have.length(6);
    await clock.advance(1000);
    expect(jobs).to.have.length(7);
    expect(current().failures).to.equal(1);
    await current().fail();
    expect(faults.at(-1)?.failures).to.equal(2);
  });

  it('brings a key back when its worker asks for it, or earlier when it is added', async () => {
    const queue = open();
    queue.add('a', 'new');
    await settle();
    await current().done({ requeueAfterMs: 5000 });
    await clock.advance(5000);
    expect(jobs).to.have.length(2);
    await current().done({ requeueAfterMs: 5000 });
    queue.add('a', 'new');
    await settle();
    expect(jobs).to.have.length(3);
    await current().done();
    await clock.advance(10_000);
    expect(jobs).to.have.length(3);
  });

  it('sleeps once for all delayed keys, and is woken by an earlier one', async () => {
    const queue = open();
    for (let index = 0; index < 100; index += 1) queue.addAfter(`late-${index}`, 60_000 + index);
    queue.addAfter('early', 1000);
    await settle();
    expect(clock.sleeping).to.equal(1);
    await clock.advance(1000);
    expect(started).to.deep.equal(['early']);
  });

  it('forgets a key that needs no work any more', async () => {
    const queue = open();
    queue.add('running', 'new');
    queue.add('ready', 'new');
    queue.addAfter('delayed', 10);
    await settle();
    queue.add('running', 'new');
    for (const key of ['running', 'ready', 'delayed']) queue.forget(key);
    await current().done();
    await clock.advance(1000);
    expect(started).to.deep.equal(['running']);
  });

  it('refuses keys beyond its bound and tells when there is room again', async () => {
    let rooms = 0;
    const queue = open({ maxKeys: 4, onRoom: () => (rooms += 1) });
    expect(['a', 'b', 'c', 'd', 'e'].map((key) => queue.add(key, 'new'))).to.deep.equal([
      true,
      true,
      true,
      true,
      false,
    ]);
    expect(queue.add('d', 'new')).to.equal(true);
    expect(queue.addAfter('f', 1)).to.equal(false);
    await settle();
    await current().done();
    expect(rooms).to.equal(0);
    await current().done();
    expect(rooms).to.equal(1);
    expect(queue.add('e', 'new')).to.equal(true);
  });

  it('tells how deep it is and how long the oldest ready key has been waiting', async () => {
    const queue = open();
    queue.add('a', 'new');
    queue.add('b', 'backlog');
    await clock.advance(500);
    queue.add('c', 'new');
    queue.addAfter('d', 60_000);
    await clock.advance(1000);
    expect(queue.depth()).to.deep.equal({
      fresh: 1,
      backlog: 1,
      delayed: 1,
      working: 1,
      failing: 0,
      oldestAgeMs: 1500,
    });
  });

  it('waits for what is in work when it is closed, and starts nothing more', async () => {
    const queue = open();
    queue.add('a', 'new');
    queue.add('b', 'new');
    await settle();
    const closed = queue.close({ deadlineMs: 10_000 });
    expect(queue.add('c', 'new')).to.equal(false);
    await current().done();
    expect(await closed).to.equal(0);
    expect(started).to.deep.equal(['a']);
  });

  it('aborts what is still in work at the deadline, and tells how many were deaf', async () => {
    const queue = open({ concurrency: 2 });
    queue.add('deaf', 'new');
    queue.add('obedient', 'new');
    await settle();
    const obedient = current();
    obedient.signal.addEventListener('abort', () => void obedient.fail());
    const closed = queue.close({ deadlineMs: 10_000 });
    await clock.advance(9999);
    expect(obedient.signal.aborted).to.equal(false);
    await clock.advance(1);
    expect(obedient.signal.aborted).to.equal(true);
    await clock.advance(1000);
    expect(await closed).to.equal(1);
  });
});
