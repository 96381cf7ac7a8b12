import { expect } from 'chai';
import { compileGlob } from '../../../src/policy/image-glob.ts';
import { isInScope } from '../../../src/policy/policy-matching.ts';
import type { WorkloadKind } from '../../../src/policy/policy-matching.ts';
import type { MatchRule } from '../../../src/policy/policy-schema.ts';

const image = `harbor.example/team/app@sha256:${'a'.repeat(64)}`;
const deployment: WorkloadKind = {
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  labels: { tier: 'web' },
};
const globs = [compileGlob('other/**'), compileGlob('harbor.example/**')];
const holds = (...match: readonly MatchRule[]): boolean => isInScope({ globs, match }, image, deployment);
const rule: MatchRule = { group: 'apps', version: 'v1', resource: 'deployments' };

describe('what a policy is about', () => {
  it('is every image that one of its globs matches, in every object', () => {
    expect(holds()).to.equal(true);
    expect(isInScope({ globs: [compileGlob('other/**')], match: [] }, image, deployment)).to.equal(false);
  });

  it('is an object of one of its rules', () => {
    expect(holds({ ...rule, resource: 'pods' })).to.equal(false);
    expect(holds({ ...rule, resource: 'pods' }, rule)).to.equal(true);
  });

  it('knows a wildcard for the version alone, and an empty one is none', () => {
    expect(holds({ ...rule, version: '*' })).to.equal(true);
    expect(holds({ ...rule, version: '' })).to.equal(false);
    expect(holds({ ...rule, group: '*' })).to.equal(false);
  });

  const selectors: readonly (readonly [string, MatchRule['selector'], boolean])[] = [
    ['a label', { matchLabels: { tier: 'web' } }, true],
    ['another label', { matchLabels: { tier: 'db' } }, false],
    ['a name of Object.prototype', { matchLabels: { constructor: 'web' } }, false],
    ['In', { matchExpressions: [{ key: 'tier', operator: 'In', values: ['db', 'web'] }] }, true],
    ['In without it', { matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }, false],
    ['NotIn', { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['web'] }] }, false],
    ['NotIn without it', { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['a'] }] }, true],
    ['Exists', { matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, true],
    ['DoesNotExist', { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }, false],
  ];
  for (const [what, selector, isChosen] of selectors) {
    it(`${isChosen ? 'chooses' : 'leaves out'} by ${what}`, () => {
      expect(holds(selector === undefined ? rule : { ...rule, selector })).to.equal(isChosen);
    });
  }
});
