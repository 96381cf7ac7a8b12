import { expect } from 'chai';
import { findCondition, reportStatus } from '../../../src/kube/conditions.ts';
import type { Finding } from '../../../src/kube/conditions.ts';
import { dropLeftFinalizers } from '../../../src/kube/foreign-finalizers.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { WatchedCluster } from '../reconcilers/watched-cluster.ts';
import { VirtualClock } from './virtual-clock.ts';

const type = resourceTypes.trustRoots;
const { signal } = new AbortController();

describe('the status of an object', () => {
  let cluster: WatchedCluster;
  let clock: VirtualClock;

  beforeEach(() => {
    cluster = new WatchedCluster();
    clock = new VirtualClock();
    cluster.put(type, { metadata: { name: 'one' }, spec: {} });
  });

  const live = (): KubeObject => cluster.getNow(type, { name: 'one' });
  const finding = (status: Finding['status'], message = ''): Finding => ({
    type: 'Ready',
    status,
    reason: 'Why',
    message,
  });
  const report = (object: KubeObject, ...findings: readonly Finding[]): Promise<boolean> =>
    reportStatus(cluster, { type, object, findings }, { clock, signal });
  const timeOf = (): unknown =>
    (findCondition(live(), 'Ready') as unknown as Record<string, unknown>)['lastTransitionTime'];

  it('is written with the time of the transition in whole seconds, and the generation', async () => {
    expect(await report(live(), finding('True', 'fine'))).to.equal(true);
    expect(live()['status']).to.deep.equal({
      observedGeneration: 1,
      conditions: [
        { ...finding('True', 'fine'), lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: 1 },
      ],
    });
  });

  it('is not written when it says the same', async () => {
    await report(live(), finding('True'));
    await clock.advance(5000);
    expect(await report(live(), finding('True'))).to.equal(false);
    expect(cluster.countOf('apply status')).to.equal(1);
  });

  it('keeps the time while the status is the same, and moves it when the status changes', async () => {
    await report(live(), finding('True', 'a'));
    await clock.advance(5000);
    await report(live(), finding('True', 'b'));
    expect(timeOf()).to.equal('2026-01-01T00:00:00Z');
    await report(live(), finding('False', 'b'));
    expect(timeOf()).to.equal('2026-01-01T00:00:05Z');
  });

  it('of two that find the same in the same version, one writes', async () => {
    const seen = live();
    const written = await Promise.all([report(seen, finding('True')), report(seen, finding('True'))]);
    expect(written).to.have.members([true, false]);
    expect(cluster.countOf('get')).to.equal(1);
  });

  it('says of a condition what generation it is about, though another part told of that one first', async () => {
    await report(live(), finding('True'));
    const conditions = [{ ...findCondition(live(), 'Ready'), observedGeneration: 1 }];
    const status = { observedGeneration: 2, conditions };
    cluster.put(type, { metadata: { name: 'one' }, spec: { changed: true }, status });
    expect(await report(live(), finding('True'))).to.equal(true);
    expect(findCondition(live(), 'Ready')).to.include({ observedGeneration: 2 });
  });

  it('is left alone by who saw an older generation', async () => {
    const seen = live();
    cluster.put(type, { metadata: { name: 'one' }, spec: { changed: true } });
    expect(await report(seen, finding('True'))).to.equal(false);
    expect(live()['status']).to.equal(undefined);
  });

  it('of an object that is gone, or another one of its name, is nobody’s business', async () => {
    const seen = live();
    cluster.remove(type, { name: 'one' });
    expect(await report(seen, finding('True'))).to.equal(false);
    cluster.put(type, { metadata: { name: 'one' }, spec: {} });
    expect(await report(seen, finding('True'))).to.equal(false);
    expect(live()['status']).to.equal(undefined);
  });

  it('bounds what it says', async () => {
    await report(live(), finding('False', 'x'.repeat(10_000)));
    expect(findCondition(live(), 'Ready')?.message).to.have.length(4096);
  });
});

describe('finalizers that policy-controller left', () => {
  const left = 'trustroots.policy.sigstore.dev';
  let cluster: WatchedCluster;

  const put = (metadata: object): KubeObject => cluster.put(type, { metadata: { name: 'one', ...metadata } });
  const drop = (object: KubeObject): Promise<void> => dropLeftFinalizers(cluster, type, object, { signal });

  beforeEach(() => {
    cluster = new WatchedCluster();
  });

  it('are taken off an object that is being deleted', async () => {
    await drop(put({ finalizers: [left, 'example.com/keep'], deletionTimestamp: '2026-01-01T00:00:00Z' }));
    expect(cluster.find(type, { name: 'one' })?.metadata.finalizers).to.deep.equal(['example.com/keep']);
  });

  it('are left on others, and other finalizers everywhere', async () => {
    await drop(put({ finalizers: [left] }));
    await drop(put({ finalizers: ['example.com/keep'], deletionTimestamp: '2026-01-01T00:00:00Z' }));
    expect(cluster.countOf('patch')).to.equal(0);
  });

  it('of an object that changed meanwhile are refused with ERR_KUBE_CONFLICT', async () => {
    const seen = put({ finalizers: [left], deletionTimestamp: '2026-01-01T00:00:00Z' });
    put({ finalizers: [left, 'example.com/keep'], deletionTimestamp: '2026-01-01T00:00:00Z' });
    const error: unknown = await drop(seen).catch((fault: unknown) => fault);
    expect(error).to.include({ code: 'ERR_KUBE_CONFLICT' });
  });
});
