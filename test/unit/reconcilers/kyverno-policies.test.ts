import { expect } from 'chai';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import type { KubeClient } from '../../../src/kube/kube-client.ts';
import type { ImageValidatingPolicy } from '../../../src/policy/kyverno/kyverno-types.ts';
import { KyvernoPolicies } from '../../../src/reconcilers/kyverno-policies.ts';

describe('policies of Kyverno that are ours', () => {
  const signal = new AbortController().signal;
  const objectOf = (generation: number): KubeObject => {
    const metadata = {
      name: 'one',
      annotations: { 'policy.chainwright.dev/exported-from': 'one' },
      generation,
    };
    return { apiVersion: 'policies.kyverno.io/v1', kind: 'ImageValidatingPolicy', metadata };
  };

  it('one is as written while nobody wrote it since, as far as this process knows', async () => {
    const client = { apply: () => Promise.resolve(objectOf(3)) } as unknown as KubeClient;
    const policies = new KyvernoPolicies(client);
    expect(policies.isAsWritten(objectOf(3))).to.equal(false);
    const policy = { metadata: { name: 'one' } } as ImageValidatingPolicy;
    const ours = new Map([['one', objectOf(2)]]);
    expect(await policies.put(policy, undefined, { version: 'v1', ours }, { signal })).to.equal('written');
    expect(policies.isAsWritten(objectOf(3))).to.equal(true);
    expect(policies.isAsWritten(objectOf(4))).to.equal(false);
  });
});
