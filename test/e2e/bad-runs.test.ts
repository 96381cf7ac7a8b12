import { expect } from 'chai';
import { completeEvidence, listEvidence, summarise } from '../support/attached-evidence.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import type { KubeObject } from '../support/kube-api.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import type { RunMarks, RunResult } from '../support/task-runs.ts';
import { createCompletedRun, imageResults, waitForMarks, waitUntilSigned } from '../support/task-runs.ts';
import { waitFor } from '../support/waiting.ts';

interface Notice extends KubeObject {
  readonly reason: string;
  readonly type: string;
  readonly message: string;
}

describe('a run that names something wrong', () => {
  let scene: Scene;
  let namespace: string;
  let image: PushedImage;

  before(async () => {
    scene = await openScene();
    namespace = await scene.namespace('bad-runs');
    await scene.controller([namespace]);
    image = await pushImage(scene.registry, `${scene.stack.registry}/bad-runs`);
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const failed = async (name: string, results: readonly RunResult[]): Promise<RunMarks> => {
    await createCompletedRun(scene.api, { namespace, name, results });
    return waitForMarks(scene.api, { namespace, name }, ({ signed }) => signed === 'failed', {
      what: 'being marked as failed',
    });
  };
  /** A Warning of that reason; one that signing is delayed may be there as well, where a server was slow. */
  const warningAbout = (name: string, wanted: string): Promise<Notice> =>
    waitFor(
      async () => {
        const selector = `fieldSelector=involvedObject.name%3D${name}%2Ctype%3DWarning`;
        const events = await scene.api.list<Notice>(`/api/v1/namespaces/${namespace}/events?${selector}`);
        return events.find(({ reason }) => reason === wanted);
      },
      { what: `an Event ${wanted} about ${name}`, timeoutMs: 60_000 },
    );

  it('gets ERR_SUBJECT_ABSENT and no signature if the registry does not hold the image', async () => {
    const digest = `sha256:${'0f'.repeat(32)}`;
    const marks = await failed('absent', imageResults({ repository: image.repository, digest }));
    expect(marks.error).to.match(/^ERR_SUBJECT_ABSENT: /);
    expect(marks.error).to.include(`${image.repository}@${digest}`);
    expect(marks.logEntries).to.be.empty;
    const event = await warningAbout('absent', 'SubjectInvalid');
    expect(event.message).to.include('ERR_SUBJECT_ABSENT');
    expect(await listEvidence(scene.registry, image, digest)).to.be.empty;
    expect(await scene.judges.search(digest)).to.be.empty;
  });

  it('gets ERR_SUBJECT_ABSENT if its digest is not that of the manifest it pushed', async () => {
    const other = image.digest.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    const marks = await failed('differing', imageResults({ repository: image.repository, digest: other }));
    expect(marks.error).to.match(/^ERR_SUBJECT_ABSENT: /);
    expect(await listEvidence(scene.registry, image, image.digest)).to.be.empty;
    expect(await listEvidence(scene.registry, image, other)).to.be.empty;
  });

  it('gets ERR_TEKTON_RESULT and no signature if a result cannot be read', async () => {
    const marks = await failed(
      'unreadable',
      imageResults({ repository: image.repository, digest: 'sha256:12' }),
    );
    expect(marks.error).to.match(/^ERR_TEKTON_RESULT: /);
    expect(marks.logEntries).to.be.empty;
    await warningAbout('unreadable', 'ResultInvalid');
    expect(await listEvidence(scene.registry, image, image.digest)).to.be.empty;
  });

  it('has its other image signed all the same', async () => {
    const good = await pushImage(scene.registry, `${scene.stack.registry}/bad-runs`);
    const absent = { repository: image.repository, digest: `sha256:${'0e'.repeat(32)}` };
    const marks = await failed('half', [...imageResults(good, 'GOOD_'), ...imageResults(absent, 'BAD_')]);
    expect(marks.error).to.match(/^ERR_SUBJECT_ABSENT: /);
    expect(marks.logEntries).to.have.length(4);
    expect(summarise(await listEvidence(scene.registry, good, good.digest))).to.deep.equal(
      completeEvidence.both,
    );
  });

  it('leaves other runs of the namespace unaffected', async () => {
    const good = await pushImage(scene.registry, `${scene.stack.registry}/bad-runs`);
    await createCompletedRun(scene.api, { namespace, name: 'good', results: imageResults(good) });
    const marks = await waitUntilSigned(scene.api, { namespace, name: 'good' });
    expect(marks.error).to.be.undefined;
  });

  it('is marked as having nothing to sign if it names nothing', async () => {
    await createCompletedRun(scene.api, { namespace, name: 'nothing', results: [] });
    const marks = await waitForMarks(
      scene.api,
      { namespace, name: 'nothing' },
      ({ result }) => result === 'nothing-to-sign',
      { what: 'being marked' },
    );
    expect(marks.signed).to.equal('true');
    expect(marks.transparency).to.be.undefined;
    expect(marks.logEntries).to.be.empty;
  });
});
