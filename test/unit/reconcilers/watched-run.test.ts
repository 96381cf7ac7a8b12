import { expect } from 'chai';
import { taskRunFinalizer } from '../../../src/kube/finalizers.ts';
import type { KubeObject, ObjectMeta } from '../../../src/kube/kube-object.ts';
import { isLeftAlone, needsWork, toWatchedRun } from '../../../src/reconcilers/watched-run.ts';

const held = [taskRunFinalizer];

function runOf(verdict: string | undefined, metadata: Partial<ObjectMeta> = {}): KubeObject {
  return {
    apiVersion: 'tekton.dev/v1',
    kind: 'TaskRun',
    metadata: { name: 'build', namespace: 'team', uid: 'uid', ...metadata },
    ...(verdict === undefined ? {} : { status: { conditions: [{ type: 'Succeeded', status: verdict }] } }),
  };
}

describe('a watched run', () => {
  it('keeps what decides about work, and nothing else', () => {
    const full = {
      ...runOf('True', {
        finalizers: held,
        resourceVersion: '7',
        labels: { app: 'a' },
        managedFields: [{ manager: 'x' }],
        annotations: { 'chains.tekton.dev/signed': 'true', 'chains.tekton.dev/payload-taskrun-1': 'long' },
      }),
      spec: { managedBy: 'somebody', params: [] },
      status: {
        conditions: [{ type: 'Succeeded', status: 'False' }],
        completionTime: '2026-11-22T10:00:00Z',
        results: [{ name: 'R', value: 'long' }],
      },
    };
    expect(toWatchedRun(full)).to.deep.equal({
      apiVersion: 'tekton.dev/v1',
      kind: 'TaskRun',
      metadata: {
        name: 'build',
        namespace: 'team',
        uid: 'uid',
        resourceVersion: '7',
        finalizers: held,
        annotations: { 'chains.tekton.dev/signed': 'true' },
      },
      managedBy: 'somebody',
      isSkipped: false,
      isComplete: true,
      completionTime: '2026-11-22T10:00:00Z',
    });
  });

  it('is read from whatever is there, however odd', () => {
    const odd = { ...runOf(undefined), spec: 'none', status: { conditions: [null, 'x', { type: 'Ready' }] } };
    expect(toWatchedRun(odd)).to.include({ isComplete: false, managedBy: '' });
  });

  const deletionTimestamp = '2026-11-22T10:00:00Z';
  const signed = { 'chains.tekton.dev/signed': 'true' };
  const cases: readonly {
    what: string;
    run: KubeObject;
    isSettled?: boolean;
    needs: boolean;
  }[] = [
    { what: 'a running run without finalizer', run: runOf('Unknown'), needs: true },
    { what: 'a run that has not begun', run: runOf(undefined), needs: true },
    { what: 'a running run that is held', run: runOf('Unknown', { finalizers: held }), needs: false },
    { what: 'a completed run', run: runOf('True', { finalizers: held }), needs: true },
    { what: 'a failed run', run: runOf('False'), needs: true },
    {
      what: 'a marked run without record',
      run: runOf('True', { annotations: signed }),
      isSettled: false,
      needs: true,
    },
    {
      what: 'a marked run with its record',
      run: runOf('True', { annotations: signed }),
      isSettled: true,
      needs: false,
    },
    {
      what: 'a marked run that is still held',
      run: runOf('True', { annotations: signed, finalizers: held }),
      isSettled: true,
      needs: true,
    },
    {
      what: 'a deleted run that we hold',
      run: runOf('True', { finalizers: held, deletionTimestamp }),
      needs: true,
    },
    {
      what: 'a deleted run that others hold',
      run: runOf('True', { finalizers: ['other'], deletionTimestamp }),
      needs: false,
    },
  ];
  for (const { what, run, isSettled = false, needs } of cases) {
    it(`${needs ? 'needs' : 'needs no'} work: ${what}`, () => {
      expect(needsWork(toWatchedRun(run), () => isSettled)).to.equal(needs);
    });
  }

  const skipped = { 'chainwright.dev/result': 'skipped' };
  const left: readonly { what: string; run: KubeObject; isLeft: boolean }[] = [
    { what: 'a completed run', run: runOf('True'), isLeft: false },
    { what: 'a run that says it was skipped', run: runOf('True', { annotations: skipped }), isLeft: true },
    {
      what: 'a skipped run that was tried since, in vain',
      run: runOf('True', { annotations: { ...skipped, 'chainwright.dev/error': 'ERR_X: away' } }),
      isLeft: false,
    },
    {
      what: 'a skipped run that is held, since it is being signed',
      run: runOf('True', { annotations: skipped, finalizers: held }),
      isLeft: false,
    },
    {
      what: 'a run that had nothing to sign',
      run: runOf('True', { annotations: { 'chainwright.dev/result': 'nothing-to-sign' } }),
      isLeft: false,
    },
    {
      what: "another manager's run",
      run: { ...runOf('True'), spec: { managedBy: 'foreign.example' } },
      isLeft: true,
    },
    {
      what: 'a run of a manager whose runs are signed too',
      run: { ...runOf('True'), spec: { managedBy: 'kueue.x-k8s.io' } },
      isLeft: false,
    },
  ];
  for (const { what, run, isLeft } of left) {
    it(`${isLeft ? 'is left alone' : 'is waited for'}, and is looked at again: ${what}`, () => {
      const watched = toWatchedRun(run);
      expect(isLeftAlone(watched, ['kueue.x-k8s.io'])).to.equal(isLeft);
      expect(needsWork(watched, () => false)).to.equal(true);
    });
  }
});
