import { expect } from 'chai';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { asksForWork, toWatchedPolicy } from '../../../src/reconcilers/watched-policy.ts';

function policyOf(metadata: object, fields: object = {}): KubeObject {
  const object = { apiVersion: 'policy.sigstore.dev/v1alpha1', kind: 'ClusterImagePolicy' };
  return { ...object, metadata: { name: 'one', uid: 'u', ...metadata }, spec: { mode: 'warn' }, ...fields };
}

describe('changes of a policy', () => {
  const before = policyOf({ finalizers: ['a'] });
  const isWork = (object: KubeObject): boolean => asksForWork({ kind: 'updated', object, previous: before });

  it('ask for work where what it says changes, or what holds a deleted one', () => {
    expect(isWork({ ...before, spec: { mode: 'enforce' } })).to.equal(true);
    expect(isWork(policyOf({ annotations: { 'policy.chainwright.dev/evaluation': 'strict' } }))).to.equal(
      true,
    );
    expect(isWork(policyOf({ finalizers: ['a'], deletionTimestamp: 'now' }))).to.equal(true);
    expect(isWork(policyOf({ uid: 'other' }))).to.equal(true);
    expect(asksForWork({ kind: 'added', object: before, isInitial: true })).to.equal(true);
    expect(asksForWork({ kind: 'deleted', object: before })).to.equal(true);
  });

  it('ask for none where somebody writes labels, finalizers or the status: replicas would wake each other', () => {
    expect(isWork(policyOf({ finalizers: ['b'], labels: { a: 'b' }, resourceVersion: '9' }))).to.equal(false);
    expect(isWork(policyOf({ finalizers: ['a'] }, { status: { observedGeneration: 1 } }))).to.equal(false);
  });

  it('keep spec, conditions and names, and not what managers noted', () => {
    const kept = toWatchedPolicy(
      policyOf({ managedFields: [{}] }, { status: { conditions: [], other: 'x' }, extra: 1 }),
    );
    expect(kept).to.deep.equal(policyOf({}, { status: { conditions: [], observedGeneration: undefined } }));
  });
});
