import { expect } from 'chai';
import { isAppError } from '../../../src/model/errors.ts';
import { addRunFinalizer, removeRunFinalizer, taskRunFinalizer } from '../../../src/kube/finalizers.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { annotateRun, completeRun } from '../../../src/kube/run-annotations.ts';
import { openTestCluster } from './cluster.ts';
import type { TestCluster } from './cluster.ts';

const { taskRuns } = resourceTypes;
const options = { signal: new AbortController().signal };
const patch = 'patch taskruns.tekton.dev';

interface ManagedField {
  readonly manager: string;
  readonly operation: string;
  readonly fieldsV1: Record<string, unknown>;
}

describe('patches of a TaskRun on a real API server', () => {
  const closing = new AsyncDisposableStack();
  let cluster: TestCluster;
  let run: KubeObject;
  let count = 0;

  before(async () => {
    cluster = closing.use(await openTestCluster());
  });
  after(() => closing.disposeAsync());
  beforeEach(async () => {
    run = await cluster.createRun(`run-${(count += 1)}`);
  });

  const ref = (): { namespace: string; name: string } => ({
    namespace: cluster.namespace,
    name: run.metadata.name,
  });
  const live = (): Promise<KubeObject> => cluster.client.get(taskRuns, ref(), options);
  const managersOf = (object: KubeObject): string[] =>
    (object.metadata['managedFields'] as ManagedField[]).map(
      (field) => `${field.operation} ${field.manager}`,
    );

  async function codeOf(work: Promise<unknown>): Promise<string> {
    const thrown: unknown = await work.catch((error: unknown) => error);
    return isAppError(thrown) ? thrown.code : 'none';
  }

  it('add, annotate and complete take one request each, and leave the rest of the run alone', async () => {
    const { client } = cluster;
    const requests = await cluster.requestsOf(async () => {
      let now = await addRunFinalizer(client, run, options);
      now = (await annotateRun(client, now, { 'chainwright.dev/error': 'ERR_X: y' }, options)) ?? now;
      await completeRun(
        client,
        now,
        { 'chains.tekton.dev/signed': 'true', 'chainwright.dev/error': null },
        options,
      );
    });
    expect(requests).to.deep.equal([patch, patch, patch]);
    const after = await live();
    expect(after.metadata.annotations).to.deep.equal({ 'chains.tekton.dev/signed': 'true' });
    expect(after.metadata.finalizers).to.equal(undefined);
    expect(after['spec']).to.deep.equal(run['spec']);
    expect(managersOf(after)).to.include('Update tekton-chains-controller');
  });

  it('puts the finalizer under the field manager of Chains, beside those of others', async () => {
    run = await cluster.createRun(`run-${(count += 1)}`, { finalizers: ['example.com/keep'] });
    const after = await addRunFinalizer(cluster.client, run, options);
    expect(after.metadata.finalizers).to.have.members(['example.com/keep', taskRunFinalizer]);
    expect(managersOf(after)).to.include('Apply tekton-chains-controller/finalizers');
    const removed = await removeRunFinalizer(cluster.client, after, options);
    expect(removed?.metadata.finalizers).to.deep.equal(['example.com/keep']);
  });

  it('removes its own finalizer in one request, and one that an older Chains wrote in two', async () => {
    const own = await addRunFinalizer(cluster.client, run, options);
    const first = await cluster.requestsOf(() => removeRunFinalizer(cluster.client, own, options));
    expect(first).to.deep.equal([patch]);
    const left = await cluster.createRun(`run-${(count += 1)}`, { finalizers: [taskRunFinalizer] });
    const second = await cluster.requestsOf(() => removeRunFinalizer(cluster.client, left, options));
    expect(second).to.deep.equal([patch, patch]);
  });

  it('takes annotations over that somebody else set, and keeps those of Chains', async () => {
    await cluster.client.mergePatch(
      taskRuns,
      ref(),
      { metadata: { annotations: { 'chains.tekton.dev/signed': 'fake', 'chains.tekton.dev/retries': '2' } } },
      { ...options, fieldManager: 'somebody' },
    );
    await annotateRun(cluster.client, run, { 'chains.tekton.dev/signed': 'true' }, options);
    await annotateRun(cluster.client, run, { 'chainwright.dev/error': 'ERR_X: y' }, options);
    expect((await live()).metadata.annotations).to.deep.equal({
      'chains.tekton.dev/signed': 'true',
      'chains.tekton.dev/retries': '2',
      'chainwright.dev/error': 'ERR_X: y',
    });
  });

  it('lets a run go that is being deleted, with its annotations', async () => {
    const held = await addRunFinalizer(cluster.client, run, options);
    await cluster.client.delete(taskRuns, ref(), options);
    expect((await live()).metadata.deletionTimestamp).to.be.a('string');
    await completeRun(cluster.client, held, { 'chains.tekton.dev/signed': 'true' }, options);
    expect(await codeOf(live())).to.equal('ERR_KUBE_NOT_FOUND');
  });

  it('never brings a deleted run back, nor touches the one that took its name', async () => {
    await cluster.client.delete(taskRuns, ref(), options);
    expect(await codeOf(addRunFinalizer(cluster.client, run, options))).to.equal('ERR_KUBE_CONFLICT');
    expect(await annotateRun(cluster.client, run, { 'chainwright.dev/error': 'X' }, options)).to.equal(
      undefined,
    );
    expect(await codeOf(live())).to.equal('ERR_KUBE_NOT_FOUND');
    await cluster.createRun(run.metadata.name);
    expect(await codeOf(addRunFinalizer(cluster.client, run, options))).to.equal('ERR_KUBE_CONFLICT');
    expect(await completeRun(cluster.client, run, { 'chainwright.dev/error': 'X' }, options)).to.equal(
      undefined,
    );
    const { metadata } = await live();
    expect([metadata.annotations, metadata.finalizers]).to.deep.equal([undefined, undefined]);
  });
});
