import { expect } from 'chai';
import { compareWithCluster } from '../../../../src/commands/policy/impact/cluster-version.ts';
import type { ClusterVersion } from '../../../../src/commands/policy/impact/cluster-version.ts';
import { readImpactPolicies } from '../../../../src/commands/policy/impact/impact-policies.ts';
import type { KubeObject } from '../../../../src/kube/kube-object.ts';
import { AppError } from '../../../../src/model/errors.ts';
import { parseClusterImagePolicy } from '../../../../src/policy/cluster-image-policy.ts';
import { soon } from '../../registry/sample-images.ts';

const created = '2026-03-01T00:00:00.000Z';
const edited = '2026-03-09T00:00:00.000Z';
const evaluation = 'policy.chainwright.dev/evaluation';
const spec = {
  mode: 'warn',
  images: [{ glob: 'r.example/**' }],
  authorities: [{ name: 'a', static: { action: 'pass' } }],
};
const policy = (metadata: object = {}, change: object = {}): KubeObject => ({
  apiVersion: 'policy.sigstore.dev/v1beta1',
  kind: 'ClusterImagePolicy',
  metadata: { name: 'production', ...metadata },
  spec: { ...spec, ...change },
});
const there = (metadata: object = {}, change: object = {}): KubeObject =>
  policy({ creationTimestamp: created, generation: 1, ...metadata }, change);
const compare = (given: KubeObject, object: KubeObject): ClusterVersion =>
  compareWithCluster(parseClusterImagePolicy(given, 'tekton-chains'), object, 'tekton-chains');

describe('a policy compared with what the cluster has under its name', () => {
  it('is the same whatever the mode, the version and the order of fields', () => {
    const { authorities, images } = spec;
    const object = { ...there(), apiVersion: 'policy.sigstore.dev/v1alpha1', spec: { authorities, images } };
    expect(compare(policy(), object)).to.deep.equal({ mode: 'enforce', isSame: true, since: created });
    expect(compare(policy({}, { mode: 'enforce' }), there())).to.include({ mode: 'warn', isSame: true });
  });

  it('is another one by a demand, a glob, a rule or an annotation that judging goes by', () => {
    const others = [
      there({}, { authorities: [...spec.authorities, { name: 'b', static: { action: 'fail' } }] }),
      there({}, { images: [{ glob: '**' }] }),
      there({}, { match: [{ group: 'apps', version: 'v1', resource: 'deployments' }] }),
      there({ annotations: { [evaluation]: 'permissive' } }),
      there({ annotations: { 'policy.chainwright.dev/exceptions': 'forbidden' } }),
      there({}, { authorities: 'none that can be read' }),
    ];
    expect(others.map((other) => compare(policy(), other).isSame)).to.deep.equal(others.map(() => false));
    expect(compare(policy(), there({ annotations: { other: 'x' } })).isSame).to.equal(true);
  });
});

describe('since when the cluster has its version', () => {
  const owning = (fieldsV1: object, more: object = {}): object => ({
    ...{ manager: 'kubectl', operation: 'Update', time: edited, fieldsV1 },
    ...more,
  });
  const sinceOf = (metadata: object): string | undefined => compare(policy(), there(metadata)).since;
  const ofSpec = owning({ 'f:spec': { 'f:authorities': {} } });

  it('its creation, while it is of the first generation', () => {
    const status = owning({ 'f:status': {} }, { subresource: 'status' });
    expect(sinceOf({ managedFields: [status] })).to.equal(created);
  });

  it('the last change of the spec, or of an annotation that does not count as a generation', () => {
    const old = owning({ 'f:spec': {} }, { time: created });
    expect(sinceOf({ generation: 2, managedFields: [old, ofSpec] })).to.equal(edited);
    const annotated = owning({ 'f:metadata': { 'f:annotations': { [`f:${evaluation}`]: {} } } });
    expect(sinceOf({ managedFields: [old, annotated] })).to.equal(edited);
    const labelled = owning({ 'f:metadata': { 'f:labels': { 'f:team': {} } } });
    expect(sinceOf({ generation: 2, managedFields: [old, labelled] })).to.equal(created);
  });

  it('the status of an edited one counts too: who takes a field away is not noted beside the spec', () => {
    const old = owning({ 'f:spec': {} }, { time: created });
    const status = owning({ 'f:status': {} }, { subresource: 'status' });
    expect(sinceOf({ generation: 2, managedFields: [old, status] })).to.equal(edited);
  });

  it('is not known of an edited one without such a note, or with a time that cannot be read', () => {
    const status = owning({ 'f:status': {} }, { subresource: 'status' });
    expect(sinceOf({ generation: 2, managedFields: [status] })).to.equal(undefined);
    expect(sinceOf({ generation: 2 })).to.equal(undefined);
    expect(sinceOf({ generation: undefined })).to.equal(undefined);
    expect(sinceOf({ generation: 2, managedFields: [owning({ 'f:spec': {} }, { time: 7e99 })] })).to.equal(
      undefined,
    );
  });
});

describe('the policies whose impact is asked for', () => {
  it('are compared with the cluster’s of the same name', async () => {
    const notFound = new AppError('ERR_KUBE_NOT_FOUND', 'not found', { kind: 'permanent' });
    const client = {
      list: ({ plural }: { plural: string }) => {
        const items = plural === 'clusterimagepolicies' ? [there({}, { images: [{ glob: '**' }] })] : [];
        return Promise.resolve({ items, resourceVersion: '1' });
      },
      get: () => Promise.reject(notFound),
    };
    const policies = [policy(), policy({ name: 'new' })].map((value) => ({ value, file: 'f' }));
    const files = { policies, trustRoots: [], workloads: [], secrets: [], configMaps: [] };
    const options = { namespace: 'tekton-chains', signal: soon() };
    const { asked } = await readImpactPolicies(files, client, options);
    expect(asked.map(({ name, inCluster }) => [name, inCluster?.isSame])).to.deep.equal([
      ['production', false],
      ['new', undefined],
    ]);
  });
});
