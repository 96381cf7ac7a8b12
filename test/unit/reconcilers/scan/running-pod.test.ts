import { expect } from 'chai';
import type { KubeObject } from '../../../../src/kube/kube-object.ts';
import { toRunningPod } from '../../../../src/reconcilers/scan/running-pod.ts';

const digests = { a: `sha256:${'a'.repeat(64)}`, b: `sha256:${'b'.repeat(64)}` };

interface PodParts {
  readonly image: string;
  readonly imageID?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly spec?: object;
}

function podOf({ image, imageID, metadata = {}, spec = {} }: PodParts): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod', namespace: 'shop', uid: 'u', ...metadata },
    spec: { containers: [{ name: 'app', image }], ...spec },
    status: { containerStatuses: imageID === undefined ? [] : [{ name: 'app', imageID }] },
  };
}

const imagesOf = (parts: PodParts): unknown => toRunningPod(podOf(parts), { keepsImages: true }).images;
const paths = ['spec.containers[0].image'];

describe('what a Pod runs', () => {
  it('a digest in the spec counts, whatever the kubelet calls it', () => {
    const image = `r.example/app:1@${digests.a}`;
    expect(imagesOf({ image, imageID: `r.example/other@${digests.b}` })).to.deep.equal([
      { image, paths, digestFrom: 'spec' },
    ]);
  });

  it('of a tag it is what the kubelet pulled then, in the repository of the spec', () => {
    expect(imagesOf({ image: 'r.example/app:1', imageID: `other.example/x@${digests.b}` })).to.deep.equal([
      { image: `r.example/app:1@${digests.b}`, paths, digestFrom: 'status' },
    ]);
    expect(imagesOf({ image: 'busybox', imageID: `docker-pullable://busybox@${digests.b}` })).to.deep.equal([
      { image: `index.docker.io/library/busybox@${digests.b}`, paths, digestFrom: 'status' },
    ]);
  });

  it('the digest of an image’s configuration is none that anything is signed by', () => {
    for (const imageID of [digests.b, `docker://${digests.b}`, '', 'app@sha256:short', undefined]) {
      expect(
        imagesOf({ image: 'r.example/app:1', ...(imageID === undefined ? {} : { imageID }) }),
      ).to.deep.equal([{ image: 'r.example/app:1', paths, digestFrom: 'nobody' }]);
    }
  });

  it('what is no reference at all is judged as it stands', () => {
    expect(imagesOf({ image: '!!', imageID: `x@${digests.a}` })).to.deep.equal([
      { image: '!!', paths, digestFrom: 'nobody' },
    ]);
  });

  it('knows the Deployment behind a ReplicaSet, and takes nobody’s word for another workload', () => {
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-abc', uid: 'rs', controller: true };
    const controllerOf = (labels: object, more: object = {}): unknown =>
      toRunningPod(podOf({ image: 'x', metadata: { labels, ownerReferences: [{ ...owner, ...more }] } }), {
        keepsImages: true,
      }).controller;
    expect(controllerOf({ 'pod-template-hash': 'abc' })).to.deep.include({ kind: 'Deployment', name: 'web' });
    expect(controllerOf({ 'pod-template-hash': 'xyz' })).to.deep.include({
      kind: 'ReplicaSet',
      name: 'web-abc',
    });
    expect(controllerOf({})).to.deep.include({ kind: 'ReplicaSet', name: 'web-abc' });
    expect(controllerOf({}, { controller: false })).to.equal(undefined);
    expect(controllerOf({}, { apiVersion: 'tekton.dev/v1', kind: 'TaskRun' })).to.equal(undefined);
    expect(controllerOf({}, { apiVersion: 'evil.example/v1' })).to.equal(undefined);
  });

  it('of 10,000 Pods a few MB are kept', () => {
    const image = `registry.example/team/service@${digests.a}`;
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    const pods = Array.from({ length: 10_000 }, (_, index) => {
      const text = JSON.stringify(
        podOf({
          image,
          metadata: {
            name: `service-${index}`,
            uid: `uid-${index}`,
            labels: { app: `service-${index % 50}` },
          },
          spec: {
            volumes: Array.from({ length: 10 }, (_unused, volume) => ({ name: `v${volume}`, emptyDir: {} })),
          },
        }),
      );
      return toRunningPod(JSON.parse(text) as KubeObject, { keepsImages: true });
    });
    const bytes = JSON.stringify(pods).length;
    expect(bytes / 10_000, 'bytes a Pod').to.be.below(600);
    expect(process.memoryUsage().heapUsed - before).to.be.below(100 * 1024 * 1024);
  });
});
