import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { KubeObject, KubeObjectDraft } from '../../../src/kube/kube-object.ts';
import type { ObjectRef, ResourceType } from '../../../src/kube/resource-type.ts';
import { AppError } from '../../../src/model/errors.ts';
import { noAlarms } from '../../../src/monitor/alarm-book.ts';
import { ClusterState } from '../../../src/monitor/cluster-state.ts';
import type { MonitorState } from '../../../src/monitor/monitor-state.ts';
import { emptyRange, rootOfRange } from '../../../src/transparency/compact-range.ts';
import { codeOfRejection } from '../signing/codes.ts';
import { signal } from '../signing/signed-evidence.ts';

const url = 'https://rekor.example';
const owner: KubeObject = {
  apiVersion: 'chainwright.dev/v1alpha1',
  kind: 'LogMonitor',
  metadata: { name: 'golems', uid: 'uid-1' },
};
const stateAt = (since: number, pairs = 1): MonitorState => ({
  since,
  position: {
    ...{ treeId: '1', firstIndex: 0, ended: [], range: emptyRange },
    head: { treeSize: 0n, rootHash: rootOfRange(emptyRange) },
  },
  pending: [],
  intents: {
    noted: Array.from({ length: pairs }, () => [randomBytes(16).toString('base64url'), 1] as const),
    promised: [],
  },
  raised: [],
  alarms: { ...noAlarms, count: 3 },
});

/** ConfigMaps with the API server's rule for versions. */
class Maps {
  readonly objects = new Map<string, KubeObject>();
  isAway = false;
  writes: string[] = [];
  #version = 0;

  get(_: ResourceType, { name }: ObjectRef): Promise<KubeObject> {
    const found = this.objects.get(name);
    return this.isAway || found === undefined ? this.#refuse() : Promise.resolve(found);
  }

  create(_: ResourceType, draft: KubeObjectDraft): Promise<KubeObject> {
    const name = String(draft.metadata['name']);
    return this.isAway || this.objects.has(name) ? this.#refuse(true) : this.#put(name, draft);
  }

  replace(_: ResourceType, draft: KubeObjectDraft): Promise<KubeObject> {
    const name = String(draft.metadata['name']);
    const isSame = this.objects.get(name)?.metadata.resourceVersion === draft.metadata['resourceVersion'];
    return this.isAway || !isSame ? this.#refuse(true) : this.#put(name, draft);
  }

  #put(name: string, draft: KubeObjectDraft): Promise<KubeObject> {
    this.#version += 1;
    const metadata = { ...draft.metadata, name, resourceVersion: String(this.#version) };
    const object = { ...draft, metadata };
    this.objects.set(name, object);
    this.writes.push(name);
    return Promise.resolve(object);
  }

  #refuse(isConflict = false): Promise<never> {
    const code = isConflict ? 'ERR_KUBE_CONFLICT' : 'ERR_KUBE_NOT_FOUND';
    return Promise.reject(
      new AppError(this.isAway ? 'ERR_KUBE_UNREACHABLE' : code, 'refused', { kind: 'passing' }),
    );
  }
}

describe('ClusterState', () => {
  let maps: Maps;
  let nowMs: number;
  beforeEach(() => {
    maps = new Maps();
    nowMs = 0;
  });

  const open = (by = owner): ClusterState =>
    new ClusterState({
      ...{ client: maps, namespace: 'monitors', owner: by, log: url, signal },
      clock: { now: () => new Date(nowMs) },
    });

  it('gives back what was stored, records and all', async () => {
    expect(await open().load()).to.equal(undefined);
    const state = stateAt(7, 1000);
    await open().save(state);
    expect(await open().load()).to.deep.equal(state);
    expect([...maps.objects.values()].map(({ metadata }) => metadata['ownerReferences'])).to.deep.include([
      { apiVersion: 'chainwright.dev/v1alpha1', kind: 'LogMonitor', name: 'golems', uid: 'uid-1' },
    ]);
  });

  it('fits into ConfigMaps however much there is to remember', async () => {
    await open().save(stateAt(1, 50_000));
    const sizes = [...maps.objects.values()].map((object) => JSON.stringify(object).length);
    expect(Math.max(...sizes)).to.be.below(1024 * 1024);
    expect((await open().load())?.intents.noted).to.have.length(30_000);
  });

  it('writes no more often than it has to, and what is left at the end', async () => {
    const store = open();
    await store.save(stateAt(1));
    nowMs += 1000;
    await store.save(stateAt(2));
    expect(maps.writes).to.have.length(2);
    nowMs += 1000;
    await store.save(stateAt(3));
    expect(maps.writes.slice(2)).to.deep.equal(['chainwright-monitor.golems']);
    await store.save(stateAt(4));
    await store.flush();
    expect(maps.writes.slice(3)).to.deep.equal([
      'chainwright-monitor.golems',
      'chainwright-monitor.golems.records',
    ]);
    expect((await open().load())?.since).to.equal(4);
  });

  it('writes nothing over what another replica wrote: ERR_MONITOR_STATE_LOST', async () => {
    const [one, other] = [open(), open()];
    await one.save(stateAt(1));
    await other.load();
    nowMs += 5000;
    await other.save(stateAt(2));
    nowMs += 5000;
    expect(await codeOfRejection(one.save(stateAt(3)))).to.equal('ERR_MONITOR_STATE_LOST');
    expect(await codeOfRejection(open().save(stateAt(4)))).to.equal('ERR_MONITOR_STATE_LOST');
    expect((await open().load())?.since).to.equal(2);
  });

  it('goes on while the API server is away, and writes later', async () => {
    const store = open();
    maps.isAway = true;
    await store.save(stateAt(1));
    expect(store.fault).to.include('ERR_KUBE_UNREACHABLE');
    maps.isAway = false;
    await store.save(stateAt(2));
    expect(store.fault).to.equal(undefined);
    expect((await open().load())?.since).to.equal(2);
  });

  it('takes nothing from an earlier object of the same name, and writes over it', async () => {
    await open().save(stateAt(1));
    const later = open({ ...owner, metadata: { name: 'golems', uid: 'uid-2' } });
    expect(await later.load()).to.equal(undefined);
    await later.save(stateAt(2));
    expect((await later.load())?.since).to.equal(2);
  });

  it('refuses a state that was spoilt with ERR_MONITOR_STATE', async () => {
    await open().save(stateAt(1));
    const name = 'chainwright-monitor.golems';
    maps.objects.set(name, { ...maps.objects.get(name)!, data: { 'state.json': '{}' } });
    expect(await codeOfRejection(open().load())).to.equal('ERR_MONITOR_STATE');
  });
});
