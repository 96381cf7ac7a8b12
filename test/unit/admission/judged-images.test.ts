import { expect } from 'chai';
import type { AdmissionRequest } from '../../../src/admission/admission-review.ts';
import type { JsonObject } from '../../../src/model/json-object.ts';
import { imagesBrought, imagesToJudge } from '../../../src/admission/judged-images.ts';
import type { UnchangedImages } from '../../../src/admission/judged-images.ts';
import { rejectionOf } from '../registry/rejection.ts';
import { deploymentOf, podOf, requestOf } from './door.ts';

function judged(request: AdmissionRequest, unchanged: UnchangedImages = 'admit'): readonly string[] {
  return imagesToJudge(request, unchanged).map(({ image }) => image);
}
const updated = (
  object: JsonObject,
  oldObject: JsonObject,
  more: Partial<AdmissionRequest> = {},
): AdmissionRequest => requestOf(object, { oldObject, ...more });

describe('the images that are judged', () => {
  it('are all of an object that is created', () => {
    expect(judged(requestOf(podOf(['a', 'b'])))).to.deep.equal(['a', 'b']);
  });

  it('are the new ones of an object that is updated, wherever they stand', () => {
    expect(judged(updated(podOf(['b', 'c', 'a']), podOf(['a', 'b'])))).to.deep.equal(['c']);
  });

  it('are all of an updated object if the setting says so', () => {
    expect(judged(updated(podOf(['a', 'c']), podOf(['a'])), 'judge')).to.deep.equal(['a', 'c']);
  });

  it('are all if the old object was another one', () => {
    const other = podOf(['a'], { uid: 'other' });
    expect(judged(updated(podOf(['a']), other))).to.deep.equal(['a']);
    expect(judged(updated(podOf(['a'], { uid: '' }), podOf(['a'], { uid: '' })))).to.deep.equal(['a']);
  });

  it('count a digest that differs as new, and a tag as another text than its digest', () => {
    expect(judged(updated(podOf(['a@sha256:1']), podOf(['a@sha256:2'])))).to.deep.equal(['a@sha256:1']);
    expect(judged(updated(podOf(['a']), podOf(['a@sha256:2'])))).to.deep.equal(['a']);
  });

  it('leave out what an object held that is being deleted, but not what comes in then', () => {
    const leaving = podOf(['a'], { deletionTimestamp: '2026-01-01T00:00:00Z' });
    expect(judged(updated(leaving, leaving), 'judge')).to.deep.equal([]);
    const sneaking = podOf(['a', 'evil'], { deletionTimestamp: '2026-01-01T00:00:00Z' });
    expect(judged(updated(sneaking, leaving), 'judge')).to.deep.equal(['evil']);
  });

  it('do not leave out those of a created object that says that it is being deleted', () => {
    expect(judged(requestOf(podOf(['a'], { deletionTimestamp: 'now' })))).to.deep.equal(['a']);
  });

  it('are none when an object is only scaled down', () => {
    expect(judged(updated(deploymentOf(['a'], { replicas: 1 }), deploymentOf(['a'])), 'judge')).to.deep.equal(
      [],
    );
  });

  it('are all when it is scaled down and changed, or scaled up', () => {
    const changed = deploymentOf(['a', 'evil'], { replicas: 1 });
    expect(judged(updated(changed, deploymentOf(['a'])), 'judge')).to.deep.equal(['a', 'evil']);
    expect(judged(updated(changed, deploymentOf(['a'])))).to.deep.equal(['evil']);
    expect(judged(updated(deploymentOf(['a'], { replicas: 3 }), deploymentOf(['a'])), 'judge')).to.deep.equal(
      ['a'],
    );
  });

  it('are those of ephemeral containers that are added', () => {
    const running = podOf(['a']);
    const spec = { ...(running['spec'] as object), ephemeralContainers: [{ name: 'debug', image: 'shell' }] };
    const request = updated({ ...running, spec }, running, { subResource: 'ephemeralcontainers' });
    expect(imagesToJudge(request, 'admit')).to.deep.equal([
      {
        image: 'shell',
        path: 'spec.ephemeralContainers[0].image',
        pointer: '/spec/ephemeralContainers/0/image',
      },
    ]);
  });

  for (const more of [
    { operation: 'DELETE' },
    { subResource: 'status' },
    { subResource: 'scale' },
  ] as const) {
    it(`are none with ${JSON.stringify(more)}`, () => {
      expect(judged(requestOf(podOf(['a']), more))).to.deep.equal([]);
    });
  }

  it('are not guessed: a kind that is not known is refused with ERR_ADMISSION_REVIEW', async () => {
    const rollout = { apiVersion: 'argoproj.io/v1', kind: 'Rollout', metadata: {}, spec: {} };
    const refused = async (request: AdmissionRequest): Promise<string> =>
      (await rejectionOf(Promise.resolve().then(() => judged(request)))).code;
    expect(await refused(requestOf(rollout))).to.equal('ERR_ADMISSION_REVIEW');
    const masked = { ...requestOf(podOf(['a'])), kind: { group: 'apps', version: 'v1', kind: 'Deployment' } };
    expect(await refused(masked)).to.equal('ERR_ADMISSION_REVIEW');
  });

  it('are told apart from those that an update brings whatever the setting says', () => {
    expect(imagesBrought(updated(podOf(['a', 'b']), podOf(['a']))).map(({ image }) => image)).to.deep.equal([
      'b',
    ]);
  });
});
