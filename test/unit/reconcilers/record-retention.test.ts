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
const recordOf = (name: string, ageHours: number, at = nowMs): KeptRecord => ({
  namespace: 'team',
  name,
  uid: `uid-${name}`,
  createdMs: at - ageHours * hour,
});
const gone = (): boolean => false;
const plan = (records: readonly KeptRecord[], isRunPresent: (record: KeptRecord) => boolean = gone) => {
  const { expired, expiresInMs } = planRetention(records, rules, { nowMs, isRunPresent });
  return { names: expired.map(({ name }) => name), expiresInMs };
};

describe('how long records are kept', () => {
  it('lets those go whose run is gone and whose time is over, the oldest first', () => {
    const records = [recordOf('b', 101), recordOf('a', 200), recordOf('c', 99)];
    expect(plan(records)).to.deep.equal({ names: ['a', 'b'], expiresInMs: hour });
  });

  it('keeps a record as long as its run, however old', () => {
    expect(plan([recordOf('a', 5000)], () => true)).to.deep.equal({ names: [], expiresInMs: undefined });
  });

  it('keeps the latest of too many, and none that is younger than the log monitor may be away', () => {
    const records = ['a', 'b', 'c', 'd'].map((name, index) => recordOf(name, [50, 9, 8, 7][index] ?? 0));
    expect(plan(records)).to.deep.equal({ names: ['a'], expiresInMs: hour });
  });

  it('keeps what has no date', () => {
    expect(plan([{ ...recordOf('a', 0), createdMs: NaN }]).names).to.deep.equal([]);
  });

  describe('by the controller', () => {
    let clock: VirtualClock;
    let records: KeptRecord[];
    let deleted: string[];
    let isComplete: boolean;
    let isOurs: boolean;
    let failures: AppError[];
    let pruned: number;
    const stop = new AbortController();

    beforeEach(() => {
      clock = new VirtualClock();
      [records, deleted, isComplete, failures, pruned] = [[], [], true, [], 0];
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

    it('does not mind another replica that was faster', async () => {
      records = [old('a'), old('b')];
      failures = [new AppError('ERR_KUBE_NOT_FOUND', 'gone', { kind: 'permanent' })];
      start();
      await clock.advance(1);
      expect(deleted).to.deep.equal(['b uid-b']);
    });
  });
});
