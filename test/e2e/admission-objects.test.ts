import { expect } from 'chai';
import type { AdmissionScene } from '../support/admission-scene.ts';
import { deploymentOf, openAdmissionScene } from '../support/admission-scene.ts';
import type { PushedImage } from '../support/images.ts';
import type { KubeObject, WriteOutcome } from '../support/kube-api.ts';

describe('objects that live in an enforced namespace', function () {
  let scene: AdmissionScene;
  let good: PushedImage;
  let unsigned: PushedImage;

  before(async () => {
    scene = await openAdmissionScene('objects');
    good = await scene.built('good');
    unsigned = await scene.push();
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const pods = (name = ''): string => `/api/v1/namespaces/${scene.enforced}/pods/${name}`;
  const deployments = (name = ''): string => `/apis/apps/v1/namespaces/${scene.enforced}/deployments/${name}`;
  const patch = (path: string, body: unknown): Promise<WriteOutcome> =>
    scene.api.attempt((api) =>
      Array.isArray(body) ? api.jsonPatch(path, body) : api.mergePatch(path, body),
    );
  const createDeployment = (name: string, image: string): Promise<KubeObject> =>
    scene.api.create(deployments(), deploymentOf(name, image));
  /** From now on nothing of this repository is acceptable. */
  const forbid = async (image: PushedImage): Promise<string> => {
    const name = `forbidden-${image.digest.slice(7, 15)}`;
    const authorities = [{ static: { action: 'fail', message: 'withdrawn' } }];
    await scene.applyPolicy({
      apiVersion: 'policy.sigstore.dev/v1alpha1',
      kind: 'ClusterImagePolicy',
      metadata: { name },
      spec: { images: [{ glob: `${image.repository}@${image.digest}` }], authorities },
    });
    return name;
  };

  it('are changed and scaled although their image is no longer acceptable, which keeps new Pods out', async () => {
    const image = await scene.built('withdrawn');
    await createDeployment('withdrawn', image.ref);
    expect((await scene.createPod({ image: image.ref, name: 'withdrawn' })).refusal).to.equal(undefined);
    await forbid(image);
    const fresh = await scene.createPod(image.ref);
    expect(fresh.refusal?.message).to.include('disallowed by static policy: withdrawn');
    const labelled = await patch(pods('withdrawn'), { metadata: { labels: { team: 'dr-crucible' } } });
    expect(labelled.refusal).to.equal(undefined);
    expect(labelled.object?.metadata).to.have.nested.property('labels.team', 'dr-crucible');
    expect((await patch(deployments('withdrawn'), { spec: { replicas: 1 } })).refusal).to.equal(undefined);
    expect((await patch(`${deployments('withdrawn')}/scale`, { spec: { replicas: 0 } })).refusal).to.equal(
      undefined,
    );
  });

  it('are not scaled down under cover of another image', async () => {
    await createDeployment('swapped', good.ref);
    const { refusal } = await patch(deployments('swapped'), {
      spec: { replicas: 1, template: { spec: { containers: [{ name: 'app', image: unsigned.ref }] } } },
    });
    expect(refusal?.message).to.include('signature missing').and.include(unsigned.ref);
  });

  it('are judged anew when an image of a running Pod is replaced', async () => {
    expect((await scene.createPod({ image: good.ref, name: 'replaced' })).refusal).to.equal(undefined);
    const { refusal } = await patch(pods('replaced'), [
      { op: 'replace', path: '/spec/containers/0/image', value: unsigned.ref },
    ]);
    expect(refusal?.message).to.include('signature missing');
  });

  it('are judged by ephemeral containers too, as kubectl debug adds them', async () => {
    expect((await scene.createPod({ image: good.ref, name: 'debugged' })).refusal).to.equal(undefined);
    const debug = (image: string): Promise<WriteOutcome> =>
      patch(`${pods('debugged')}/ephemeralcontainers`, {
        spec: { ephemeralContainers: [{ name: 'debugger', image, targetContainerName: 'app' }] },
      });
    const { refusal } = await debug(unsigned.ref);
    expect(refusal?.message).to.include('spec.ephemeralContainers[0].image').and.include('signature missing');
    expect((await debug(good.ref)).refusal).to.equal(undefined);
  });

  it('are judged by init containers and image volumes too', async () => {
    const init = await scene.createPod({ image: good.ref, initImage: unsigned.ref });
    expect(init.refusal?.message).to.include('spec.initContainers[0].image').and.include('signature missing');
    const volume = await scene.createPod({ image: good.ref, volumeImage: unsigned.ref });
    expect(volume.refusal?.message).to.include('spec.volumes[0].image').and.include('signature missing');
    const whole = await scene.createPod({ image: good.ref, initImage: good.ref, volumeImage: good.ref });
    expect(whole.refusal).to.equal(undefined);
  });

  it('are denied by every bad image at once, so that nobody has to ask twice', async () => {
    const another = await scene.push();
    const { refusal } = await scene.createPod({ image: unsigned.ref, initImage: another.ref });
    expect(refusal?.message).to.include(unsigned.ref).and.include(another.ref);
  });
});
