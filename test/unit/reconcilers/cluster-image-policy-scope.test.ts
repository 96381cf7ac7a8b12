import { expect } from 'chai';
import fc from 'fast-check';
import { AppError } from '../../../src/model/errors.ts';
import { isInScope } from '../../../src/policy/policy-matching.ts';
import { brokenPolicyOf } from '../../../src/reconcilers/cluster-image-policy-scope.ts';

const fault = new AppError('ERR_POLICY_INVALID', 'it is broken', { kind: 'permanent' });
const pod = { group: '', version: 'v1', resource: 'pods', labels: {} };
const image = `registry.example/app@sha256:${'a'.repeat(64)}`;

function isDenied(spec: unknown, workload = pod): boolean {
  const object = { apiVersion: 'v1', kind: 'ClusterImagePolicy', metadata: { name: 'one' }, spec };
  const policy = brokenPolicyOf(object, fault);
  return policy.fault === fault && policy.authorities.length === 0 && isInScope(policy, image, workload);
}

describe('what a broken policy denies', () => {
  const own = [{ glob: 'registry.example/**' }];

  it('is what its globs and rules match', () => {
    expect(isDenied({ images: own })).to.equal(true);
    expect(isDenied({ images: [{ glob: 'other.example/**' }] })).to.equal(false);
    const match = [{ resource: 'pods', version: 'v1' }];
    expect(isDenied({ images: own, match })).to.equal(true);
    expect(isDenied({ images: own, match }, { ...pod, resource: 'jobs' })).to.equal(false);
  });

  it('is everything where a glob or the rules cannot be read', () => {
    const other = { glob: 'other.example/**' };
    for (const images of ['x', 7, {}, [7], [other, {}], [other, { glob: 7 }], [other, { glob: '$' }]]) {
      expect(isDenied({ images }), JSON.stringify(images)).to.equal(true);
    }
    for (const match of ['x', [7], [{ resource: 'apples' }], [{ oops: 1 }], [{ selector: {} }]]) {
      expect(isDenied({ images: own, match }), JSON.stringify(match)).to.equal(true);
    }
  });

  it('is nothing where the policy names no image at all', () => {
    for (const spec of [{}, { images: [] }, { images: null }, undefined]) {
      expect(isDenied(spec), JSON.stringify(spec)).to.equal(false);
    }
  });

  it('can be told of whatever stands there', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (images, match, mode) => {
        const object = { apiVersion: 'v1', kind: 'ClusterImagePolicy', metadata: { name: 'one' } };
        const policy = brokenPolicyOf({ ...object, spec: { images, match, mode } }, fault);
        expect(policy.mode).to.equal(mode === 'warn' ? 'warn' : 'enforce');
      }),
    );
  });
});
