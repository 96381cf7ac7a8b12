import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { killServer, startServer } from '../../../hack/stack/stack.ts';
import { isAppError } from '../../../src/model/errors.ts';
import { silentLog } from '../../../src/model/log.ts';
import { Informer } from '../../../src/kube/informer.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import type { StoreChange } from '../../../src/kube/object-store.ts';
import { trimMetadata } from '../../../src/kube/object-trim.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { waitFor } from '../../support/waiting.ts';
import { openTestCluster } from './cluster.ts';
import type { TestCluster } from './cluster.ts';

const { taskRuns } = resourceTypes;
const outageMs = 300_000;

async function until(condition: () => boolean, what: string): Promise<void> {
  const look = (): Promise<true | undefined> => Promise.resolve(condition() ? true : undefined);
  await waitFor(look, { what, timeoutMs: outageMs, pollMs: 20 });
}

describe('Informer on a real API server', function () {
  this.timeout(3 * outageMs);
  let closing: AsyncDisposableStack;
  let cluster: TestCluster;
  let informer: Informer<KubeObject>;
  let changes: StoreChange<KubeObject>[];
  let stop: AbortController;

  beforeEach(async () => {
    closing = new AsyncDisposableStack();
    cluster = closing.use(await openTestCluster());
    changes = [];
    stop = new AbortController();
    informer = new Informer<KubeObject>({
      client: cluster.client,
      type: taskRuns,
      namespaces: [cluster.namespace],
      transform: trimMetadata,
      onChange: (change) => changes.push(change),
      clock: systemClock,
      log: silentLog,
    });
    const running = informer.run({ signal: stop.signal });
    closing.defer(async () => {
      stop.abort();
      await running;
    });
    await informer.synced;
  });

  afterEach(() => closing.disposeAsync());

  const namesOf = (kind: StoreChange<KubeObject>['kind']): string[] =>
    changes.filter((change) => change.kind === kind).map((change) => change.object.metadata.name);

  // an outage fails the call; the object may have been written all the same
  async function surely(work: () => Promise<unknown>, done: string): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await work();
        return;
      } catch (error) {
        if (isAppError(error) && error.code === done) return;
        await sleep(50);
      }
    }
  }

  const createSurely = (name: string): Promise<void> =>
    surely(() => cluster.createRun(name), 'ERR_KUBE_CONFLICT');

  const deleteSurely = (name: string): Promise<void> => {
    const ref = { namespace: cluster.namespace, name };
    return surely(() => cluster.client.delete(taskRuns, ref, { signal: stop.signal }), 'ERR_KUBE_NOT_FOUND');
  };

  it('sees a change within a second', async () => {
    await until(() => cluster.traces.some((trace) => trace.verb === 'watch'), 'a watch');
    const tookMs: number[] = [];
    for (let index = 0; index < 9; index += 1) {
      await cluster.createRun(`quick-${index}`);
      const startMs = performance.now();
      await until(() => namesOf('added').includes(`quick-${index}`), 'the addition');
      tookMs.push(performance.now() - startMs);
    }
    // The middle one: a busy machine may hold up any single one.
    expect(tookMs.toSorted((a, b) => a - b)[4]).to.be.lessThan(1000);
    expect(informer.find(`${cluster.namespace}/quick-0`)?.metadata).to.not.have.property('managedFields');
  });

  it('misses nothing while the API server is killed and comes back in mid-watch', async () => {
    const names = Array.from({ length: 120 }, (_, index) => `run-${index}`);
    const writing = (async () => {
      for (const name of names) {
        await createSurely(name);
        if (Number(name.slice(4)) % 3 === 0) await deleteSurely(name);
      }
    })();
    closing.defer(async () => {
      stop.abort();
      await writing;
    });
    await until(() => namesOf('added').length > 20, 'the first additions');
    await killServer('kube-apiserver');
    await startServer('kube-apiserver');
    await writing;
    const kept = names.filter((name) => Number(name.slice(4)) % 3 !== 0);
    const inStore = (): string[] => [...informer.values()].map((object) => object.metadata.name).sort();
    await until(() => inStore().length === kept.length, 'all that was kept');
    expect(inStore()).to.deep.equal([...kept].sort());
    // each kept run was told of once; one created and deleted within the outage may stay unknown
    const added = namesOf('added');
    expect(kept.filter((name) => added.filter((other) => other === name).length !== 1)).to.deep.equal([]);
    expect(new Set(namesOf('deleted')).size).to.equal(namesOf('deleted').length);
    const health = informer.health();
    expect(health.interruptions).to.be.at.least(1);
    expect(health.fault).to.equal(undefined);
  });
});
