import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import { silentLog } from '../../../src/model/log.ts';
import { RecordRetention } from '../../../src/reconcilers/record-retention.ts';
import { planRetention } from '../../../src/reconcilers/record-retention-plan.ts';
import type { KeptRecord } from '../../../src/reconcilers/record-retention-plan.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';

const hour = 3_600_000;
const nowMs = 1000 * hour;
const rules = { maxAgeMs: 100 * hour, minAgeMs: 10 * hour, maxPerNamespace: 2 };
/** Written once, and its run gone since then. */
const recordOf = (name: string, ageHours: number, at = nowMs): KeptRecord => {
  const createdMs = at - ageHours * hour;
  const identity = { namespace: 'team', name, uid: `uid-${name}`, resourceVersion: '7' };
  return { ...identity, createdMs, writtenMs: createdMs, goneMs: createdMs };
};
const unmarkedOf = (name: string, ageHours: number, at = nowMs): KeptRecord => {
  const { goneMs: _, ...record } = recordOf(name, ageHours, at);
  return record;
};
const gone = (): boolean => false;
const plan = (records: readonly KeptRecord[], isRunPresent: (record: KeptRecord) => boolean = gone) => {
  const { expired, unmarked, expiresInMs } = planRetention(records, rules, { nowMs, isRunPresent });
  const namesOf = (found: readonly KeptRecord[]): readonly string[] => found.map(({ name }) => name);
  return { names: namesOf(expired), unmarked: namesOf(unmarked), expiresInMs };
};

describe('how long records are kept', () => {
  it('lets those go whose run is gone and whose time is over, the oldest first', () => {
    const records = [recordOf('b', 101), recordOf('a', 200), recordOf('c', 99)];
    expect(plan(records)).to.deep.equal({ names: ['a', 'b'], unmarked: [], expiresInMs: hour });
  });

  it('counts from when the run was gone, however long it was there', () => {
    const record = { ...recordOf('a', 5000), goneMs: nowMs - 60 * hour };
    expect(plan([record])).to.deep.equal({ names: [], unmarked: [], expiresInMs: 40 * hour });
  });

  it('counts from now, and has that noted, where it was not known that the run is gone', () => {
    const expected = { names: [], unmarked: ['a'], expiresInMs: 100 * hour };
    expect(plan([unmarkedOf('a', 5000)])).to.deep.equal(expected);
    expect(plan([{ ...recordOf('a', 5000), goneMs: nowMs + hour }]), 'a time to come').to.deep.equal(
      expected,
    );
  });

  it('keeps a record as long as its run, however old', () => {
    const expected = { names: [], unmarked: [], expiresInMs: undefined };
    expect(plan([unmarkedOf('a', 5000)], () => true)).to.deep.equal(expected);
  });

  it('keeps the latest of too many, and none that is younger than the log monitor may be away', () => {
    const records = ['a', 'b', 'c', 'd'].map((name, index) => recordOf(name, [50, 9, 8, 7][index] ?? 0));
    expect(plan(records)).to.deep.equal({ names: ['a'], unmarked: [], expiresInMs: hour });
  });

  it('keeps one of too many that was written a short while ago, however long ago it was begun', () => {
    const late = { ...recordOf('late', 50), writtenMs: nowMs - 4 * hour, goneMs: nowMs - 2 * hour };
    const records = [late, recordOf('a', 3), recordOf('b', 2)];
    expect(plan(records)).to.deep.equal({ names: [], unmarked: [], expiresInMs: 6 * hour });
  });

  it('keeps what has no date', () => {
    expect(plan([{ ...recordOf('a', 0), createdMs: NaN }]).names).to.deep.equal([]);
  });

  describe('by the controller', () => {
    let clock: VirtualClock;
    let records: KeptRecord[];
    let deleted: string[];
    let patches: object[];
    let isComplete: boolean;
    let isOurs: boolean;
    let failures: AppError[];
    let pruned: number;
    const stop = new AbortController();

    beforeEach(() => {
      clock = new VirtualClock();
      [records, deleted, patches, isComplete, failures, pruned] = [[], [], [], true, [], 0];
      isOurs = true;
    });
    after(() => {
      stop.abort();
    });

    const start = (): RecordRetention => {
      const retention = new RecordRetention({
        client: {
          delete: (_type, { name }, { uid }) => {
            const failure = failures.pop();
            if (failure !== undefined) return Promise.reject(failure);
            deleted.push(`${name} ${uid ?? ''}`);
            records = records.filter((record) => record.name !== name);
            return Promise.resolve();
          },
          mergePatch: (_type, { name }, patch, { fieldManager }) => {
            const failure = failures.pop();
            if (failure !== undefined) return Promise.reject(failure);
            patches.push({ name, fieldManager, ...patch });
            records = records.map((record) =>
              record.name === name ? { ...record, goneMs: clock.now().getTime() } : record,
            );
            return Promise.resolve({ apiVersion: '', kind: '', metadata: { name } });
          },
        },
        catalogue: {
          isComplete: () => isComplete,
          recordsOf: () => records,
          namespaces: () => ['team'],
          isRunPresent: ({ name }) => name.startsWith('held'),
        },
        rules: () => rules,
        isOurs: () => isOurs,
        metrics: {
          recordsPruned: (count) => {
            pruned += count;
          },
        },
        clock,
        log: silentLog,
      });
      void retention.run({ signal: stop.signal });
      return retention;
    };
    const old = (name: string): KeptRecord => recordOf(name, 200, clock.now().getTime());

    it('goes on a hundred at a time until nothing is left', async () => {
      records = [...Array.from({ length: 250 }, (_, index) => old(`r${index}`)), old('held')];
      start();
      await clock.advance(1);
      expect(deleted).to.have.length(100);
      await clock.advance(4100);
      expect(deleted).to.have.length(250);
      expect(pruned).to.equal(250);
      expect(records.map(({ name }) => name)).to.deep.equal(['held']);
    });

    it('deletes nothing while another replica does it, and goes on when that one is gone', async () => {
      records = [old('a')];
      isOurs = false;
      start().lookAt('team');
      await clock.advance(60_000);
      expect(deleted).to.deep.equal([]);
      isOurs = true;
      await clock.advance(13 * 60_000);
      expect(deleted).to.deep.equal(['a uid-a']);
    });

    it('deletes nothing before everything is listed', async () => {
      records = [old('a')];
      isComplete = false;
      start().lookAt('team');
      await clock.advance(60_000);
      expect(deleted).to.deep.equal([]);
      isComplete = true;
      await clock.advance(6000);
      expect(deleted).to.deep.equal(['a uid-a']);
    });

    it('looks again when a record comes of age, and after a fault', async () => {
      records = [recordOf('a', 99.99, clock.now().getTime())];
      const retention = start();
      retention.lookAt('team');
      failures = [new AppError('ERR_KUBE_UNAVAILABLE', 'away', { kind: 'passing' })];
      await clock.advance(120_000);
      expect(deleted).to.deep.equal(['a uid-a']);
    });

    it('notes once since when a run is gone, a hundred records at a time, and deletes by that', async () => {
      const at = clock.now().getTime();
      records = Array.from({ length: 150 }, (_, index) => unmarkedOf(`r${index}`, index / 100, at));
      records.push(unmarkedOf('held', 500, at));
      start();
      await clock.advance(1);
      expect(patches).to.have.length(100);
      await clock.advance(2100);
      expect(patches).to.have.length(150);
      expect(patches[0]).to.deep.equal({
        name: 'r149',
        fieldManager: 'chainwright-retention',
        metadata: {
          ...{ uid: 'uid-r149', resourceVersion: '7' },
          annotations: { 'chainwright.dev/run-gone': new Date(at).toISOString() },
        },
      });
      await clock.advance(30 * 60_000);
      expect(patches).to.have.length(150);
      expect(deleted).to.deep.equal([]);
    });

    it('leaves a record that was written meanwhile for later', async () => {
      records = [unmarkedOf('a', 5), unmarkedOf('b', 4)];
      failures = [new AppError('ERR_KUBE_CONFLICT', 'written', { kind: 'passing' })];
      start();
      await clock.advance(1);
      expect(patches).to.have.length(1);
      await clock.advance(20 * 60_000);
      expect(patches).to.have.length(2);
    });

    it('does not mind another replica that was faster', async () => {
      records = [old('a'), old('b')];
      failures = [new AppError('ERR_KUBE_NOT_FOUND', 'gone', { kind: 'permanent' })];
      start();
      await clock.advance(1);
      expect(deleted).to.deep.equal(['b uid-b']);
    });
  });
});
