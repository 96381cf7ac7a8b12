import { expect } from 'chai';
import type { KubeClient } from '../../../src/kube/kube-client.ts';
import { taskRunFinalizer } from '../../../src/kube/finalizers.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import type { ResourceType } from '../../../src/kube/resource-type.ts';
import type { WatchEvent } from '../../../src/kube/watch-stream.ts';
import { AppError } from '../../../src/model/errors.ts';
import { silentLog } from '../../../src/model/log.ts';
import type { Log, LogFields } from '../../../src/model/log.ts';
import { RunShares } from '../../../src/reconcilers/run-shares.ts';
import { TaskRunController } from '../../../src/reconcilers/task-run-controller.ts';
import { settingsSchema } from '../../../src/settings/settings-schema.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { LeaseWorld } from '../kube/leases/lease-world.ts';
import { VirtualClock, settle } from '../kube/virtual-clock.ts';

/** Lists once, then hands out events as a test sends them. */
class FakeWatch implements Pick<KubeClient, 'listPages' | 'watch'> {
  readonly lists = new Map<string, readonly KubeObject[]>();
  /** Kinds whose list never comes. */
  readonly silent = new Set<string>();
  readonly #waiting = new Map<string, (event: WatchEvent) => void>();

  async *listPages(
    type: ResourceType,
  ): AsyncGenerator<{ items: readonly KubeObject[]; resourceVersion: string }> {
    if (this.silent.has(type.plural)) await new Promise(() => undefined);
    yield { items: this.lists.get(type.plural) ?? [], resourceVersion: '1' };
  }

  async *watch(
    type: ResourceType,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<WatchEvent, void, undefined> {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });
    aborted.catch(() => undefined);
    for (;;) {
      const next = new Promise<WatchEvent>((resolve) => this.#waiting.set(type.plural, resolve));
      yield await Promise.race([next, aborted]);
    }
  }

  async send(plural: string, type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject): Promise<void> {
    this.#waiting.get(plural)?.({ type, object, resourceVersion: '2' });
    await settle();
  }
}

const finished = '2025-12-31T23:59:00Z';

function runOf(name: string, metadata: object = {}, completionTime = finished): KubeObject {
  return {
    apiVersion: 'tekton.dev/v1',
    kind: 'TaskRun',
    metadata: { name, namespace: 'team', uid: `uid-${name}`, resourceVersion: '1', ...metadata },
    status: { conditions: [{ type: 'Succeeded', status: 'True' }], completionTime },
  };
}

function recordOf(name: string, phase: string): KubeObject {
  return {
    apiVersion: 'chainwright.dev/v1alpha1',
    kind: 'SigningRecord',
    metadata: { name: `uid-${name}`, namespace: 'team', resourceVersion: '1' },
    spec: { phase },
  };
}

const marked = (mark: string): object => ({ annotations: { 'chains.tekton.dev/signed': mark } });

describe('the controller of TaskRuns', () => {
  let clock: VirtualClock;
  let watch: FakeWatch;
  let worked: string[];
  let lines: { message: string; fields: LogFields | undefined }[];
  let stop: AbortController;
  let running: Promise<void> | undefined;
  let work: (key: string) => Promise<void>;
  let metrics: ReturnType<typeof createMetrics>;

  beforeEach(() => {
    clock = new VirtualClock();
    watch = new FakeWatch();
    worked = [];
    lines = [];
    stop = new AbortController();
    running = undefined;
    work = () => Promise.resolve();
    metrics = createMetrics({ version: 'test' });
  });
  afterEach(async () => {
    stop.abort();
    await running;
  });

  async function start(concurrency = 4): Promise<TaskRunController> {
    const note = (message: string, fields?: LogFields): void => void lines.push({ message, fields });
    const log: Log = { ...silentLog, warn: note, error: note, child: () => log };
    const controller = new TaskRunController({
      client: watch,
      reconciler: {
        reconcile: async (key) => {
          worked.push(key);
          await work(key);
        },
      },
      settings: settingsSchema.parse({ controller: { concurrency } }).controller,
      metrics,
      shares: new RunShares({
        client: new LeaseWorld(clock).client,
        ...{ namespace: 'chains', identity: 'one', watched: [], finishMs: 1000 },
        elapsedMs: () => clock.now().getTime(),
        random: () => 0.5,
        ...{ clock, log: silentLog },
      }),
      clock,
      log,
    });
    running = controller.run({ signal: stop.signal, drainMs: 1000 });
    for (let turn = 0; turn < 10; turn += 1) await settle();
    return controller;
  }

  it('has runs worked that need it, and spares those that a record settles', async () => {
    watch.lists.set('signingrecords', [
      recordOf('settled', 'Complete'),
      recordOf('broken', 'Failed'),
      recordOf('half', 'Intended'),
      recordOf('forged', 'Failed'),
    ]);
    watch.lists.set('taskruns', [
      runOf('settled', marked('true')),
      runOf('broken', marked('failed')),
      runOf('half', marked('true')),
      runOf('forged', marked('true')),
      runOf('alone', marked('true')),
      runOf('fresh'),
    ]);
    await start();
    expect(worked.sort()).to.deep.equal(['team/alone', 'team/forged', 'team/fresh', 'team/half']);
  });

  it('counts as backlog what waits for its signature, and nothing that is left unsigned on purpose', async () => {
    const skipped = { annotations: { 'chainwright.dev/result': 'skipped' } };
    const foreign = { ...runOf('foreign'), spec: { managedBy: 'foreign.example' } };
    watch.lists.set('taskruns', [runOf('skipped', skipped), foreign]);
    const controller = await start();
    const backlog = async (): Promise<readonly string[]> =>
      (await metrics.render()).split('\n').filter((line) => line.startsWith('chainwright_backlog_'));
    await clock.advance(600_000);
    expect(await backlog()).to.deep.equal([
      'chainwright_backlog_runs 0',
      'chainwright_backlog_age_seconds 0',
    ]);
    worked.length = 0;
    controller.lookAgain('team');
    await settle();
    expect(worked.sort()).to.deep.equal(['team/foreign', 'team/skipped']);
    const { controller: changed } = settingsSchema.parse({ controller: { managedBy: ['foreign.example'] } });
    controller.adjust(changed);
    await settle();
    expect(await backlog()).to.deep.equal([
      'chainwright_backlog_runs 1',
      'chainwright_backlog_age_seconds 660',
    ]);
  });

  it('is not ready, and works nothing, before records and runs are listed', async () => {
    watch.silent.add('signingrecords');
    watch.lists.set('taskruns', [runOf('fresh')]);
    const controller = await start();
    expect(worked).to.deep.equal([]);
    expect(controller.findUnready()).to.match(/not everything is listed/);
    stop.abort();
    running = undefined;
  });

  it('is ready once everything is listed', async () => {
    const controller = await start();
    expect(controller.findUnready()).to.equal(undefined);
    expect(controller.findStall()).to.equal(undefined);
  });

  it('sees a run that completes, and a deleted one that is held', async () => {
    await start();
    await watch.send('taskruns', 'ADDED', runOf('new'));
    const deleted = { finalizers: [taskRunFinalizer], deletionTimestamp: finished };
    await watch.send('taskruns', 'MODIFIED', runOf('held', deleted));
    await watch.send('taskruns', 'MODIFIED', runOf('free', { deletionTimestamp: finished }));
    expect(worked).to.deep.equal(['team/new', 'team/held']);
  });

  it('takes new runs before those that have waited since before it started', async () => {
    const release = Promise.withResolvers<undefined>();
    let started = 0;
    work = () => ((started += 1) === 1 ? release.promise.then(() => undefined) : Promise.resolve());
    const numbers = [1, 2, 3, 4];
    watch.lists.set('taskruns', [
      ...numbers.map((number) => runOf(`old-${number}`, {}, '2025-12-30T00:00:00Z')),
      ...numbers.map((number) => runOf(`new-${number}`, {}, finished)),
    ]);
    await start(1);
    expect(worked).to.have.length(1);
    release.resolve(undefined);
    await settle();
    // Which one came first depends on the share that was gained first.
    const [, ...later] = worked.map((key) => key.replace(/-\d$/, ''));
    expect(worked).to.have.length(8);
    expect(later).to.deep.equal(later.toSorted());
  });

  it('tries a run again whose work threw, and says so with the code', async () => {
    let faults = 2;
    work = () => {
      faults -= 1;
      return faults >= 0
        ? Promise.reject(new AppError('ERR_LOG_UNAVAILABLE', 'it is away', { kind: 'passing' }))
        : Promise.resolve();
    };
    watch.lists.set('taskruns', [runOf('fresh')]);
    await start();
    await clock.advance(60_000);
    expect(worked).to.deep.equal(['team/fresh', 'team/fresh', 'team/fresh']);
    expect(lines.map(({ message, fields }) => [message, fields?.['code']])).to.deep.equal([
      ['a run is tried again later', 'ERR_LOG_UNAVAILABLE'],
      ['a run is tried again later', 'ERR_LOG_UNAVAILABLE'],
    ]);
  });

  it('calls what is no AppError a bug, with its stack', async () => {
    work = () => Promise.reject(new TypeError('undefined is no function'));
    watch.lists.set('taskruns', [runOf('fresh')]);
    await start();
    expect(lines[0]).to.deep.include({ message: 'a run met a bug; it is tried again later' });
    expect(lines[0]?.fields).to.include({ code: 'ERR_UNEXPECTED' });
    expect(lines[0]?.fields?.['stack']).to.include('TypeError');
  });

  it('forgets a run that is gone', async () => {
    work = () => Promise.reject(new AppError('ERR_LOG_UNAVAILABLE', 'it is away', { kind: 'passing' }));
    watch.lists.set('taskruns', [runOf('fresh')]);
    await start();
    await watch.send('taskruns', 'DELETED', runOf('fresh'));
    await clock.advance(3_600_000);
    expect(worked).to.deep.equal(['team/fresh']);
  });

  describe('with a deleted run whose last try failed', () => {
    const held = (deletedAt?: Date): KubeObject => {
      version += 1;
      const deletion = deletedAt === undefined ? {} : { deletionTimestamp: deletedAt.toISOString() };
      const finalizers = [taskRunFinalizer];
      return runOf('fresh', { finalizers, resourceVersion: String(version), ...deletion });
    };
    let version = 1;
    let retryAfterMs: number | undefined;

    beforeEach(() => {
      retryAfterMs = 40 * 60_000;
      work = () =>
        Promise.reject(
          new AppError('ERR_LOG_UNAVAILABLE', 'it is away', {
            kind: 'passing',
            ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
          }),
        );
      watch.lists.set('taskruns', [held()]);
    });

    it('tries it at once when it is deleted, and not when it changes after that', async () => {
      await start();
      await watch.send('taskruns', 'MODIFIED', held());
      expect(worked).to.have.length(1);
      const deletedAt = clock.now();
      await watch.send('taskruns', 'MODIFIED', held(deletedAt));
      expect(worked).to.have.length(2);
      await watch.send('taskruns', 'MODIFIED', held(deletedAt));
      await watch.send('taskruns', 'MODIFIED', held(deletedAt));
      expect(worked).to.have.length(2);
    });

    it('tries it again when its hold ends, whatever pause a server asked for, and each minute from then on', async () => {
      const controller = await start();
      controller.adjust({
        ...{ concurrency: 4, retry: { baseMs: 2000, maxMs: 3_600_000 } },
        ...{ managedBy: [], holdDeletionMs: 600_000 },
      });
      await watch.send('taskruns', 'MODIFIED', held(clock.now()));
      const before = worked.length;
      await clock.advance(599_000);
      expect(worked).to.have.length(before);
      await clock.advance(1000);
      expect(worked).to.have.length(before + 1);
      await clock.advance(59_000);
      expect(worked).to.have.length(before + 1);
      await clock.advance(121_000);
      expect(worked).to.have.length(before + 4);
    });

    it('goes on by the usual pauses while its hold lasts', async () => {
      retryAfterMs = undefined;
      await start();
      await watch.send('taskruns', 'MODIFIED', held(clock.now()));
      const before = worked.length;
      await clock.advance(60_000);
      expect(worked.length - before).to.be.within(2, 6);
    });
  });

  it('finishes what is in work when it is told to stop', async () => {
    const release = Promise.withResolvers<undefined>();
    let isDone = false;
    work = () =>
      release.promise.then(() => {
        isDone = true;
      });
    watch.lists.set('taskruns', [runOf('fresh')]);
    await start();
    stop.abort();
    await settle();
    release.resolve(undefined);
    await running;
    expect(isDone).to.equal(true);
  });

  it('says so if it must stop with runs in work', async () => {
    work = () => new Promise(() => undefined);
    watch.lists.set('taskruns', [runOf('fresh')]);
    await start();
    stop.abort();
    await clock.advance(5000);
    await running;
    expect(lines.map(({ message, fields }) => [message, fields?.['runs']])).to.deep.equal([
      ['stopped with runs in work; they are taken up again', 1],
    ]);
  });
});
