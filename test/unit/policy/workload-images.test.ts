import { expect } from 'chai';
import {
  isWorkload,
  listWorkloadImages,
  pullAccountOf,
  workloadKindOf,
} from '../../../src/policy/workload-images.ts';

const podSpec = {
  initContainers: [{ image: 'i' }],
  containers: [{ image: 'a' }, { image: 'b' }],
  ephemeralContainers: [{ image: 'e' }],
  volumes: [
    { name: 'x', emptyDir: {} },
    { name: 'y', image: { reference: 'v' } },
  ],
};
const template = { metadata: { labels: { of: 'template' } }, spec: podSpec };

describe('images of workloads', () => {
  const objects: Readonly<Record<string, readonly [object, string]>> = {
    Pod: [podSpec, 'spec'],
    Deployment: [{ template }, 'spec.template.spec'],
    CronJob: [{ jobTemplate: { spec: { template } } }, 'spec.jobTemplate.spec.template.spec'],
  };
  for (const [kind, [spec, prefix]] of Object.entries(objects)) {
    it(`are those of all containers and image volumes of a ${kind}, each with path and pointer`, () => {
      const base = `/${prefix.replaceAll('.', '/')}`;
      expect(isWorkload(kind)).to.equal(true);
      expect(listWorkloadImages({ kind, spec })).to.deep.equal([
        { image: 'i', path: `${prefix}.initContainers[0].image`, pointer: `${base}/initContainers/0/image` },
        { image: 'a', path: `${prefix}.containers[0].image`, pointer: `${base}/containers/0/image` },
        { image: 'b', path: `${prefix}.containers[1].image`, pointer: `${base}/containers/1/image` },
        {
          image: 'e',
          path: `${prefix}.ephemeralContainers[0].image`,
          pointer: `${base}/ephemeralContainers/0/image`,
        },
        { image: 'v', path: `${prefix}.volumes[1].image`, pointer: `${base}/volumes/1/image/reference` },
      ]);
    });
  }

  it('are none of what runs nothing, or of malformed objects', () => {
    expect(isWorkload('Service')).to.equal(false);
    for (const object of [{ kind: 'Service' }, { kind: 'Pod' }, { kind: 'Pod', spec: { containers: 7 } }]) {
      expect(listWorkloadImages(object)).to.deep.equal([]);
    }
  });

  it('are pulled by the Secrets and the account of the Pod or template', () => {
    const spec = { serviceAccountName: 'ci', imagePullSecrets: [{ name: 'a' }, { name: 7 }, 'b'] };
    const account = { serviceAccount: 'ci', pullSecrets: ['a'] };
    expect(pullAccountOf({ kind: 'Pod', spec })).to.deep.equal(account);
    expect(pullAccountOf({ kind: 'Job', spec: { template: { spec } } })).to.deep.equal(account);
    expect(pullAccountOf({ kind: 'Pod' })).to.deep.equal({ serviceAccount: '', pullSecrets: [] });
  });

  it('belong to a resource that is guessed from the kind, with the labels of the object itself', () => {
    const metadata = { labels: { tier: 'web', odd: 7 } };
    expect(
      workloadKindOf({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { template } }),
    ).to.deep.equal({ group: 'apps', version: 'v1', resource: 'deployments', labels: { tier: 'web' } });
    expect(workloadKindOf({ apiVersion: 'v1', kind: 'Pod' })).to.deep.equal({
      group: '',
      version: 'v1',
      resource: 'pods',
      labels: {},
    });
  });
});
