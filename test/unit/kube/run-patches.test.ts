import { expect } from 'chai';
import { isAppError } from '../../../src/model/errors.ts';
import { addRunFinalizer, removeRunFinalizer, taskRunFinalizer } from '../../../src/kube/finalizers.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { annotateRun, completeRun } from '../../../src/kube/run-annotations.ts';
import { FakeObjects } from './fake-objects.ts';

const { taskRuns } = resourceTypes;
const ref = { namespace: 'team', name: 'build' };
const options = { signal: new AbortController().signal };

describe('patches of a TaskRun', () => {
  let objects: FakeObjects;

  beforeEach(() => {
    objects = new FakeObjects();
  });

  function addRun(metadata: Partial<KubeObject['metadata']> = {}): KubeObject {
    const run = objects.add(taskRuns, {
      apiVersion: 'tekton.dev/v1',
      kind: 'TaskRun',
      metadata: { ...ref, uid: 'u1', ...metadata },
    });
    objects.calls.length = 0;
    return run;
  }

  const verbs = (): string[] => objects.calls.map((call) => call.verb);

  async function codeOf(work: () => Promise<unknown>): Promise<string> {
    try {
      await work();
      return 'none';
    } catch (error) {
      return isAppError(error) ? error.code : 'another error';
    }
  }

  describe('addRunFinalizer', () => {
    it('applies the finalizer under its own field manager, bound to the UID, in one request', async () => {
      const run = await addRunFinalizer(objects, addRun(), options);
      expect(run.metadata.finalizers).to.deep.equal([taskRunFinalizer]);
      expect(objects.calls).to.deep.equal([
        {
          verb: 'apply',
          name: 'build',
          fieldManager: 'tekton-chains-controller/finalizers',
          body: {
            apiVersion: 'tekton.dev/v1',
            kind: 'TaskRun',
            metadata: { ...ref, uid: 'u1', finalizers: [taskRunFinalizer] },
          },
        },
      ]);
    });

    it('asks nothing where the finalizer is', async () => {
      await addRunFinalizer(objects, addRun({ finalizers: [taskRunFinalizer] }), options);
      expect(verbs()).to.deep.equal([]);
    });

    it('throws ERR_KUBE_CONFLICT instead of bringing a deleted run back', async () => {
      const run = addRun();
      objects.objects.clear();
      expect(await codeOf(() => addRunFinalizer(objects, run, options))).to.equal('ERR_KUBE_CONFLICT');
      expect(objects.objects.size).to.equal(0);
    });

    it('throws ERR_KUBE_CONFLICT for a run that was created anew, which the API server calls invalid', async () => {
      const run = addRun();
      addRun({ uid: 'u2' });
      objects.failNext('apply', 'ERR_KUBE_INVALID');
      expect(await codeOf(() => addRunFinalizer(objects, run, options))).to.equal('ERR_KUBE_CONFLICT');
    });

    it('throws ERR_KUBE_INVALID when the run itself is refused', async () => {
      const run = addRun();
      objects.failNext('apply', 'ERR_KUBE_INVALID');
      expect(await codeOf(() => addRunFinalizer(objects, run, options))).to.equal('ERR_KUBE_INVALID');
    });
  });

  describe('removeRunFinalizer', () => {
    it('takes off a finalizer of ours in one request', async () => {
      const run = await removeRunFinalizer(objects, addRun({ finalizers: [taskRunFinalizer] }), options);
      expect(run?.metadata.finalizers).to.deep.equal([]);
      expect(verbs()).to.deep.equal(['apply']);
    });

    it('takes off one that Chains left by a merge patch, and leaves those of others', async () => {
      const finalizers = ['other/one', taskRunFinalizer];
      const run = addRun({ finalizers, foreignFinalizers: finalizers });
      const result = await removeRunFinalizer(objects, run, options);
      expect(result?.metadata.finalizers).to.deep.equal(['other/one']);
      expect(verbs()).to.deep.equal(['apply', 'patch']);
    });

    it('reads the run again after a conflict', async () => {
      const run = addRun({ finalizers: [taskRunFinalizer], foreignFinalizers: [taskRunFinalizer] });
      objects.failNext('patch', 'ERR_KUBE_CONFLICT');
      const result = await removeRunFinalizer(objects, run, options);
      expect(result?.metadata.finalizers).to.deep.equal([]);
      expect(verbs()).to.deep.equal(['apply', 'patch', 'get', 'apply', 'patch']);
    });

    it('gives undefined when the run is gone', async () => {
      const run = addRun({ finalizers: [taskRunFinalizer] });
      objects.objects.clear();
      expect(await removeRunFinalizer(objects, run, options)).to.equal(undefined);
    });
  });

  describe('annotateRun', () => {
    it("applies changes with all keys of ours that the run has, under Chains' field manager, in one request", async () => {
      const run = addRun({
        annotations: { 'chains.tekton.dev/retries': '1', 'chainwright.dev/error': 'X: y', other: 'z' },
      });
      const changes = { 'chains.tekton.dev/signed': 'true', 'chainwright.dev/error': null };
      const result = await annotateRun(objects, run, changes, options);
      expect(result?.metadata.annotations).to.deep.equal({
        other: 'z',
        'chains.tekton.dev/retries': '1',
        'chains.tekton.dev/signed': 'true',
      });
      expect(objects.calls).to.have.length(1);
      expect(objects.calls[0]?.fieldManager).to.equal('tekton-chains-controller');
      expect(JSON.stringify(objects.calls[0]?.body)).to.not.include('other');
    });

    it('asks nothing where nothing changes', async () => {
      const run = addRun({ annotations: { 'chains.tekton.dev/signed': 'true' } });
      await annotateRun(
        objects,
        run,
        { 'chains.tekton.dev/signed': 'true', 'chainwright.dev/error': null },
        options,
      );
      expect(verbs()).to.deep.equal([]);
    });

    it('keeps a key that was set since the run was read', async () => {
      const stale = addRun();
      addRun({ annotations: { 'chains.tekton.dev/transparency': 'url' } });
      const result = await annotateRun(objects, stale, { 'chains.tekton.dev/signed': 'true' }, options);
      expect(result?.metadata.annotations).to.deep.equal({
        'chains.tekton.dev/transparency': 'url',
        'chains.tekton.dev/signed': 'true',
      });
      expect(verbs()).to.deep.equal(['apply', 'get', 'apply']);
    });

    it('gives undefined for a run that was created anew', async () => {
      const run = addRun();
      addRun({ uid: 'u2' });
      expect(await annotateRun(objects, run, { 'chainwright.dev/error': 'X' }, options)).to.equal(undefined);
      expect(objects.find(taskRuns, ref)?.metadata.annotations).to.equal(undefined);
    });

    it('throws ERR_KUBE_CONFLICT after four tries', async () => {
      const run = addRun();
      for (let index = 0; index < 4; index += 1) objects.failNext('apply', 'ERR_KUBE_CONFLICT');
      const work = (): Promise<unknown> =>
        annotateRun(objects, run, { 'chainwright.dev/error': 'X' }, options);
      expect(await codeOf(work)).to.equal('ERR_KUBE_CONFLICT');
    });

    it('throws ERR_KUBE_ANNOTATION for a key that is not ours', async () => {
      const work = (): Promise<unknown> => annotateRun(objects, addRun(), { 'tekton.dev/x': '1' }, options);
      expect(await codeOf(work)).to.equal('ERR_KUBE_ANNOTATION');
      expect(verbs()).to.deep.equal([]);
    });
  });

  describe('completeRun', () => {
    it('annotates and takes off the finalizer, whoever owns it, in one request', async () => {
      const run = addRun({
        finalizers: [taskRunFinalizer, 'other/one'],
        annotations: { 'chainwright.dev/error': 'X: y', other: 'z' },
      });
      const changes = { 'chains.tekton.dev/signed': 'true', 'chainwright.dev/error': null };
      const result = await completeRun(objects, run, changes, options);
      expect(result?.metadata.finalizers).to.deep.equal(['other/one']);
      expect(result?.metadata.annotations).to.deep.equal({ other: 'z', 'chains.tekton.dev/signed': 'true' });
      expect(verbs()).to.deep.equal(['patch']);
    });

    it('keeps a finalizer that was added since the run was read', async () => {
      const stale = addRun({ finalizers: [taskRunFinalizer] });
      addRun({ finalizers: [taskRunFinalizer, 'late/one'] });
      const result = await completeRun(objects, stale, { 'chains.tekton.dev/signed': 'true' }, options);
      expect(result?.metadata.finalizers).to.deep.equal(['late/one']);
      expect(verbs()).to.deep.equal(['patch', 'get', 'patch']);
    });

    it('gives undefined when the run is gone', async () => {
      const run = addRun({ finalizers: [taskRunFinalizer] });
      objects.objects.clear();
      expect(await completeRun(objects, run, { 'chains.tekton.dev/signed': 'true' }, options)).to.equal(
        undefined,
      );
    });
  });
});
