import { expect } from 'chai';
import type { Clock } from '../../../src/model/clock.ts';
import { silentLog } from '../../../src/model/log.ts';
import { Informer } from '../../../src/kube/informer.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import type { StoreChange } from '../../../src/kube/object-store.ts';
import { trimMetadata } from '../../../src/kube/object-trim.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { FakeApiServer, accessTo, sendJson, sendStatus, until } from './fake-api-server.ts';

// pauses are noted and not waited for
function hurriedClock(pauses: number[]): Clock {
  return {
    now: () => new Date(),
    sleep: async (ms, signal) => {
      pauses.push(ms);
      await new Promise((resolve) => setTimeout(resolve, 2));
      signal.throwIfAborted();
    },
  };
}

describe('Informer', () => {
  let server: FakeApiServer;
  let client: KubeClient;
  let stop: AbortController;
  let running: Promise<void>;
  let pauses: number[];
  let changes: string[];

  beforeEach(async () => {
    server = await FakeApiServer.start();
    pauses = [];
    changes = [];
    stop = new AbortController();
    running = Promise.resolve();
    client = new KubeClient({ access: accessTo(server), clock: hurriedClock([]) });
  });

  afterEach(async () => {
    stop.abort();
    await running;
    await client[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  function describeChange(change: StoreChange<KubeObject>): string {
    const mark = change.kind === 'added' && change.isInitial ? ' (initial)' : '';
    return `${change.kind} ${change.object.metadata.name}${mark}`;
  }

  function start(
    options: {
      onChange?: (change: StoreChange<KubeObject>) => unknown;
      namespaces?: string[];
      watchIdleMs?: number;
      random?: () => number;
      transform?: (object: KubeObject) => KubeObject;
    } = {},
  ): Informer<KubeObject> {
    const informer = new Informer<KubeObject>({
      client,
      type: resourceTypes.taskRuns,
      namespaces: [],
      transform: trimMetadata,
      onChange: (change) => changes.push(describeChange(change)),
      clock: hurriedClock(pauses),
      log: silentLog,
      random: () => 0,
      ...options,
    });
    running = informer.run({ signal: stop.signal });
    return informer;
  }

  async function startWatching(options: Parameters<typeof start>[0] = {}): Promise<Informer<KubeObject>> {
    const informer = start(options);
    await informer.synced;
    await until(() => server.watching === 1, 'a watch');
    return informer;
  }

  const sees = (change: string): Promise<void> => until(() => changes.includes(change), change);

  it('gives what exists as initial additions, then what happens', async () => {
    server.put('a');
    const informer = await startWatching();
    server.put('b');
    server.put('b', { status: { done: true } });
    server.remove('a');
    await sees('deleted a');
    expect(changes).to.deep.equal(['added a (initial)', 'added b', 'updated b', 'deleted a']);
    expect([...informer.values()].map((object) => object.metadata.name)).to.deep.equal(['b']);
    expect(informer.find('team/b')?.['status']).to.deep.equal({ done: true });
  });

  it('lists in pages of 100 and watches with bookmarks from the version of the list, for 5 to 10 minutes', async () => {
    for (let index = 0; index < 250; index += 1) server.put(`run-${index}`);
    await startWatching();
    const lists = server.requests.filter((request) => !request.query.has('watch'));
    expect(lists.map((request) => request.query.get('limit'))).to.deep.equal(['100', '100', '100']);
    expect(changes).to.have.length(250);
    const watch = server.requests.at(-1)?.query;
    expect(watch?.get('allowWatchBookmarks')).to.equal('true');
    expect(watch?.get('resourceVersion')).to.equal('350');
    expect(Number(watch?.get('timeoutSeconds'))).to.be.within(300, 600);
  });

  it('goes on from the last version when the connection breaks, without a new list', async () => {
    server.put('a');
    await startWatching();
    server.cutConnections();
    server.put('b');
    await sees('added b');
    expect(server.countOf('list')).to.equal(1);
    expect(pauses).to.deep.equal([800]);
  });

  it('goes on without a pause when the server ends a watch in its time', async () => {
    await startWatching();
    server.put('a');
    await sees('added a');
    server.endWatches();
    await until(() => server.countOf('watch') === 2, 'a second watch');
    server.put('b');
    await sees('added b');
    expect(pauses).to.deep.equal([]);
  });

  it('pauses when watches end at once without a word', async () => {
    await startWatching();
    server.endWatches();
    await until(() => server.countOf('watch') === 2, 'a second watch');
    expect(pauses).to.deep.equal([800]);
  });

  for (const goneAs of ['status', 'event'] as const) {
    it(`lists anew on 410 as ${goneAs}, and tells what was deleted, changed and created anew meanwhile`, async () => {
      server.goneAs = goneAs;
      for (const name of ['kept', 'changed', 'deleted', 'replaced']) server.put(name);
      await startWatching();
      changes.length = 0;
      server.cutConnections();
      server.put('changed', { status: 1 });
      server.remove('deleted');
      server.remove('replaced');
      server.put('replaced', {}, 'another-uid');
      server.compact();
      await sees('deleted deleted');
      expect(changes).to.deep.equal([
        'updated changed',
        'deleted replaced',
        'added replaced',
        'deleted deleted',
      ]);
      expect(server.countOf('list')).to.equal(2);
    });
  }

  it('keeps the version of a bookmark', async () => {
    server.put('a');
    await startWatching();
    server.bookmark();
    server.compact();
    server.bookmark();
    server.put('b');
    await sees('added b');
    server.cutConnections();
    server.put('c');
    await sees('added c');
    expect(server.countOf('list')).to.equal(1);
  });

  it('is on the roll of its client while it runs: heard of by a bookmark alone, its lists counted', async () => {
    const { informers } = client;
    const startedMs = Date.now();
    await startWatching();
    const [first] = informers.sightings();
    expect(first).to.include({ resource: 'taskruns', lists: 1 });
    expect(first?.heardAt.getTime()).to.be.at.least(startedMs);
    await until(() => Date.now() > (first?.heardAt.getTime() ?? 0), 'a later time');
    server.bookmark();
    const heardMs = (): number => informers.sightings()[0]?.heardAt.getTime() ?? 0;
    await until(() => heardMs() > (first?.heardAt.getTime() ?? 0), 'the bookmark');
    server.cutConnections();
    server.put('a');
    server.compact();
    await until(() => informers.sightings()[0]?.lists === 2, 'another list');
    stop.abort();
    await running;
    expect(informers.sightings()).to.deep.equal([]);
  });

  it('waits as long as Retry-After says', async () => {
    server.override('list', (_request, response) => {
      sendStatus(response, 429, 'TooManyRequests', { 'retry-after': '7' });
    });
    await startWatching();
    expect(pauses).to.deep.equal([7000]);
  });

  it('outlives refusals, broken lists, nonsense and silence, and is healthy afterwards', async () => {
    server.override('list', (_request, response) => {
      sendStatus(response, 500, 'InternalError');
    });
    server.override('list', (_request, response) => {
      response.destroy();
    });
    server.override('list', (_request, response) => {
      sendJson(response, 200, { items: [{ metadata: {} }], metadata: { resourceVersion: '1' } });
    });
    server.override('list', (_request, response) => {
      sendStatus(response, 403, 'Forbidden');
    });
    const informer = start({ watchIdleMs: 50 });
    await informer.synced;
    await until(() => server.watching === 1, 'a watch');
    await until(() => {
      if (server.countOf('list') === 6) return true;
      // Again, where a watch ended of its own silence before it was read.
      server.send('this is no JSON\n');
      return false;
    }, 'a list after the nonsense');
    await until(() => server.countOf('watch') >= 3, 'a watch after silence');
    server.put('late');
    await sees('added late');
    const health = informer.health();
    expect(health.isSynced).to.equal(true);
    expect(health.fault).to.equal(undefined);
    expect(health.interruptions).to.be.at.least(6);
    expect(health.stalenessMs).to.be.lessThan(2000);
  });

  it('doubles its pauses up to 30 s while nothing works', async () => {
    for (let index = 0; index < 9; index += 1) {
      server.override('list', (_request, response) => {
        sendStatus(response, 503, 'ServiceUnavailable');
      });
    }
    const informer = start({ random: () => 1 });
    expect(informer.health().isSynced).to.equal(false);
    await informer.synced;
    expect(pauses).to.deep.equal([1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000, 30_000]);
  });

  it('lists soon after 410, however long the server was away before', async () => {
    for (let index = 0; index < 6; index += 1) {
      server.override('list', (_request, response) => {
        sendStatus(response, 503, 'ServiceUnavailable');
      });
    }
    server.override('list', (_request, response) => {
      sendStatus(response, 410, 'Expired');
    });
    const informer = start({ random: () => 1 });
    await informer.synced;
    expect(pauses.at(-2)).to.equal(30_000);
    expect(pauses.at(-1)).to.equal(1600);
  });

  it('counts what its handler throws or rejects with, and goes on', async () => {
    server.put('a');
    server.put('b');
    const informer = await startWatching({
      onChange: (change) => {
        changes.push(describeChange(change));
        if (change.object.metadata.name === 'a') throw new Error('sync');
        return Promise.reject(new Error('async'));
      },
    });
    server.put('c');
    await sees('added c');
    await until(() => informer.health().handlerFaults === 3, 'three faults');
    expect(server.countOf('list')).to.equal(1);
  });

  it('keeps objects frozen, trimmed of managed fields, in the shape that the transform gives', async () => {
    server.override('list', (_request, response) => {
      sendJson(response, 200, {
        metadata: { resourceVersion: '5' },
        items: [
          {
            metadata: {
              name: 'a',
              namespace: 'team',
              uid: 'u',
              resourceVersion: '3',
              managedFields: [{ manager: 'x' }],
              annotations: { keep: '1', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
            },
            status: { payload: 'x'.repeat(1000) },
          },
        ],
      });
    });
    const informer = await startWatching({
      transform: (object) => ({ ...trimMetadata(object), status: undefined }),
    });
    const kept = informer.find('team/a');
    expect(kept?.metadata).to.not.have.property('managedFields');
    expect(kept?.metadata.annotations).to.deep.equal({ keep: '1' });
    expect(kept?.['status']).to.equal(undefined);
    expect(kept?.kind).to.equal('TaskRun');
    expect(Object.isFrozen(kept?.metadata.annotations)).to.equal(true);
  });

  it('watches each namespace that it is given, and is synced when all are listed', async () => {
    const informer = start({ namespaces: ['team', 'other'] });
    await informer.synced;
    await until(() => server.watching === 2, 'two watches');
    const paths = new Set(server.requests.map((request) => request.path));
    expect(paths).to.deep.equal(
      new Set([
        '/apis/tekton.dev/v1/namespaces/team/taskruns',
        '/apis/tekton.dev/v1/namespaces/other/taskruns',
      ]),
    );
  });

  it('ends when it is told to, in mid-watch and in mid-pause', async () => {
    await startWatching();
    stop.abort();
    await running;
    await until(() => server.watching === 0, 'the watch is closed');
  });
});
