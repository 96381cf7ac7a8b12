import { expect } from 'chai';
import { selectRuns } from '../../../../src/commands/backfill/select-runs.ts';
import type { RunSelection } from '../../../../src/commands/backfill/select-runs.ts';
import { workOff } from '../../../../src/commands/backfill/work-off.ts';
import type { BackfilledRun } from '../../../../src/commands/backfill/work-off.ts';
import type { KubeClient } from '../../../../src/kube/kube-client.ts';
import type { KubeObject } from '../../../../src/kube/kube-object.ts';
import { AppError } from '../../../../src/model/errors.ts';

const { signal } = new AbortController();
const clock = { now: () => new Date(0), sleep: () => Promise.resolve() };

function runOf(name: string, completionTime: string | undefined, mark?: string): KubeObject {
  const annotations = mark === undefined ? {} : { annotations: { 'chains.tekton.dev/signed': mark } };
  const conditions = completionTime === undefined ? [] : [{ type: 'Succeeded', status: 'True' }];
  return {
    ...{ apiVersion: 'tekton.dev/v1', kind: 'TaskRun' },
    metadata: { name, namespace: 'team', uid: `uid-${name}`, ...annotations },
    status: { conditions, completionTime },
  };
}

function recordOf(name: string, phase: string): KubeObject {
  const metadata = { name: `uid-${name}`, namespace: 'team' };
  return { apiVersion: 'chainwright.dev/v1alpha1', kind: 'SigningRecord', metadata, spec: { phase } };
}

function listing(objects: readonly KubeObject[]): Pick<KubeClient, 'listPages'> {
  return {
    // eslint-disable-next-line @typescript-eslint/require-await -- the interface is that of a call to a server
    async *listPages(type) {
      yield { items: objects.filter(({ kind }) => kind === type.kind), resourceVersion: '1' };
    },
  };
}

describe('the runs that backfill is about', () => {
  const client = listing([
    runOf('new', '2026-03-03T00:00:00Z'),
    runOf('old', '2026-03-01T00:00:00Z'),
    runOf('running', undefined),
    runOf('settled', '2026-03-02T00:00:00Z', 'true'),
    recordOf('settled', 'Complete'),
    runOf('planted', '2026-03-02T00:00:00Z', 'true'),
    runOf('begun', '2026-03-02T12:00:00Z', 'true'),
    recordOf('begun', 'Signing'),
    {
      ...runOf('skipped', '2026-02-01T00:00:00Z'),
      metadata: { name: 'skipped', namespace: 'team', annotations: { 'chainwright.dev/result': 'skipped' } },
    },
    { ...runOf('foreign', '2026-02-02T00:00:00Z'), spec: { managedBy: 'foreign.example' } },
  ]);
  const select = async (selection: Partial<RunSelection>): Promise<readonly string[]> => {
    const times = { since: undefined, until: undefined };
    const all = { namespaces: [], labelSelector: undefined, ...times, managedBy: [], withSkipped: true };
    const runs = await selectRuns({ ...all, ...selection }, { client, signal });
    return runs.map(({ key }) => key);
  };

  const unsigned = ['team/old', 'team/planted', 'team/begun', 'team/new'];

  it('are complete and have no finished record, whatever their marks say; the oldest first', async () => {
    expect(await select({ withSkipped: false })).to.deep.equal(unsigned);
  });

  it('are those left unsigned on purpose as well, if asked for, and those of managers that the settings list', async () => {
    expect(await select({})).to.deep.equal(['team/skipped', ...unsigned]);
    const managedBy = ['foreign.example'];
    expect(await select({ managedBy, withSkipped: false })).to.deep.equal(['team/foreign', ...unsigned]);
  });

  it('ended at or after a time, and before another', async () => {
    const since = new Date('2026-03-02T00:00:00Z');
    expect(await select({ since })).to.deep.equal(['team/planted', 'team/begun', 'team/new']);
    expect(await select({ until: since, withSkipped: false })).to.deep.equal(['team/old']);
  });
});

describe('working them off', () => {
  const work = async (options: {
    readonly reconcile: () => Promise<void>;
    /** Whether the share is held each time that it is asked; the last one counts from then on. */
    readonly holds?: readonly boolean[];
    readonly members?: number;
    readonly annotations?: Readonly<Record<string, string>>;
  }): Promise<BackfilledRun | undefined> => {
    const { reconcile, annotations = {}, members = 1 } = options;
    const held = [...(options.holds ?? [true])];
    const object = { ...runOf('a', '2026-03-01T00:00:00Z'), metadata: { name: 'a', annotations } };
    const [done] = await workOff([{ key: 'team/a', completedAt: '' }], {
      client: { get: () => Promise.resolve(object) },
      reconciler: { reconcile },
      shares: {
        holds: () => (held.length > 1 ? held.shift() : held[0]) ?? false,
        work: (_, outer, inner) => inner(outer),
        health: () => ({ held: [], members, fault: undefined }),
      },
      ...{ concurrency: 1, clock, signal, onDone: () => undefined },
    });
    return done;
  };
  const good = (): Promise<void> => Promise.resolve();

  it('tells what became of each, as the run itself says', async () => {
    const signed = { 'chains.tekton.dev/signed': 'true' };
    expect((await work({ reconcile: good, annotations: signed }))?.outcome).to.equal('signed');
    const empty = { ...signed, 'chainwright.dev/result': 'nothing-to-sign' };
    expect((await work({ reconcile: good, annotations: empty }))?.outcome).to.equal('nothing-to-sign');
    const failed = { 'chains.tekton.dev/signed': 'failed', 'chainwright.dev/error': 'ERR_X: no' };
    expect(await work({ reconcile: good, annotations: failed })).to.deep.equal({
      ...{ run: 'team/a', outcome: 'failed', message: 'ERR_X: no' },
    });
    expect((await work({ reconcile: good }))?.outcome).to.equal('left');
  });

  it('touches none that another replica holds', async () => {
    const reconcile = (): Promise<void> => Promise.reject(new Error('it was touched'));
    expect((await work({ reconcile, holds: [false], members: 2 }))?.outcome).to.equal('left');
  });

  it('does not take a share that was lost to a slow API server for a run that is to be left', async () => {
    const lost = await work({ reconcile: good, holds: [false] });
    expect(lost?.outcome).to.equal('delayed');
    expect(lost?.message).to.match(/^ERR_BACKFILL_SHARE: /);
    const brokenOff = await work({ reconcile: good, holds: [true, false] });
    expect(brokenOff?.outcome).to.equal('delayed');
    const annotations = { 'chains.tekton.dev/signed': 'true' };
    const back = await work({ reconcile: good, holds: [false, true], annotations });
    expect(back?.outcome).to.equal('signed');
  });

  it('tries three times where a server is away, then goes on', async () => {
    let tries = 0;
    const done = await work({
      reconcile: () => {
        tries += 1;
        return Promise.reject(new AppError('ERR_LOG_UNREACHABLE', 'away', { kind: 'passing' }));
      },
    });
    expect(done).to.deep.equal({
      ...{ run: 'team/a', outcome: 'delayed', message: 'ERR_LOG_UNREACHABLE: away' },
    });
    expect(tries).to.equal(3);
  });
});
