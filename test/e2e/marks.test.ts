import { expect } from 'chai';
import { completeEvidence, listEvidence, summarise } from '../support/attached-evidence.ts';
import { controllerAccount } from '../support/account-kubeconfig.ts';
import { ChainsProcess } from '../support/chains-process.ts';
import { CosignSigner } from '../support/cosign-signer.ts';
import { isFullRun } from '../support/full-run.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import type { KubeObject } from '../support/kube-api.ts';
import { listRecords } from '../support/logged-entries.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import {
  createCompletedRun,
  imageResults,
  runPath,
  waitForMarks,
  waitUntilSigned,
} from '../support/task-runs.ts';
import { waitFor } from '../support/waiting.ts';

const chainsFinalizer = 'chains.tekton.dev/taskrun';
const signedWithinMs = 60_000;
const signedMark = { 'chains.tekton.dev/signed': 'true' };

describe('a mark that we did not write', () => {
  let scene: Scene;
  let namespace: string;

  before(async () => {
    scene = await openScene();
  });

  beforeEach(async () => {
    namespace = await scene.namespace('marks');
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const newImage = (): Promise<PushedImage> => pushImage(scene.registry, `${scene.stack.registry}/marks`);
  const readRun = (name: string): Promise<KubeObject> => scene.api.get(runPath(namespace, name));
  const finalizersOf = ({ metadata }: KubeObject): readonly string[] => metadata.finalizers ?? [];
  const evidenceOf = async (image: PushedImage): Promise<readonly string[]> =>
    summarise(await listEvidence(scene.registry, image, image.digest));
  // Completed before any controller of ours looks, with the finalizer that Chains leaves.
  const createOldRun = async (name: string, image: PushedImage): Promise<string> => {
    await createCompletedRun(scene.api, {
      namespace,
      name,
      results: imageResults(image),
      finalizers: [chainsFinalizer],
    });
    const { status } = (await readRun(name)) as KubeObject & { readonly status: { completionTime: string } };
    return status.completionTime;
  };
  const expectAdopted = async (
    name: string,
    image: PushedImage,
    before: readonly string[],
  ): Promise<void> => {
    await scene.controller([namespace]);
    const run = { namespace, name };
    await waitForMarks(scene.api, run, (_, object) => !finalizersOf(object).includes(chainsFinalizer), {
      what: 'its finalizer taken off',
      timeoutMs: signedWithinMs,
    });
    const { metadata } = await readRun(name);
    expect(metadata.annotations).to.include(signedMark);
    expect(metadata.annotations).to.not.have.property('chainwright.dev/log-entries');
    expect(await evidenceOf(image)).to.deep.equal(before);
    const [record] = await listRecords(scene.api, namespace);
    expect(record?.spec.phase).to.equal('Complete');
  };

  for (const mark of ['true', 'failed']) {
    it(`is not believed if nothing supports it: signed "${mark}" set by a user`, async () => {
      const image = await newImage();
      await scene.controller([namespace]);
      await createCompletedRun(scene.api, {
        namespace,
        name: 'pre-set',
        results: imageResults(image),
        annotations: { 'chains.tekton.dev/signed': mark },
      });
      await waitUntilSigned(scene.api, { namespace, name: 'pre-set' }, signedWithinMs);
      expect(await evidenceOf(image)).to.deep.equal(completeEvidence.both);
      // An Event is written beside the work, and may come after it.
      await waitFor(
        async () => {
          const events = await scene.api.list<KubeObject & { reason: string }>(
            `/api/v1/namespaces/${namespace}/events`,
          );
          return events.find(({ reason }) => reason === 'MarkNotBelieved');
        },
        { what: 'the Event MarkNotBelieved', timeoutMs: 30_000 },
      );
    });
  }

  it("is not believed if the evidence in the registry is somebody else's", async () => {
    const image = await newImage();
    const finishedOn = await createOldRun('planted', image);
    const { stack, judges } = scene;
    const somebody = new CosignSigner({ stack, judges, account: { namespace, name: 'default' } });
    await somebody.sign(image.ref, 'tag');
    await somebody.attest(image.ref, 'tag', { finishedOn });
    await scene.api.mergePatch(runPath(namespace, 'planted'), { metadata: { annotations: signedMark } });
    await scene.controller([namespace]);
    await waitUntilSigned(scene.api, { namespace, name: 'planted' }, signedWithinMs);
    expect(await evidenceOf(image)).to.deep.equal(
      [...completeEvidence.both, 'tag provenance', 'tag signature'].sort(),
    );
    expect(finalizersOf(await readRun('planted'))).to.not.include(chainsFinalizer);
  });

  it('is believed with evidence under our identity, and the run is left alone but for the finalizer', async () => {
    const image = await newImage();
    const finishedOn = await createOldRun('switched-over', image);
    const { stack, judges } = scene;
    const chains = new CosignSigner({ stack, judges, account: controllerAccount });
    await chains.sign(image.ref, 'tag');
    await chains.attest(image.ref, 'tag', { finishedOn });
    await scene.api.mergePatch(runPath(namespace, 'switched-over'), {
      metadata: { annotations: signedMark },
    });
    await expectAdopted('switched-over', image, completeEvidence.chains);
  });

  // The real peer signs in full runs alone; else its mark and evidence are made by hand, as above.
  const realPeer = isFullRun ? ['Tekton Chains'] : [];
  for (const peer of realPeer) {
    it(`is believed if it was the real ${peer} that signed`, async () => {
      const image = await newImage();
      const run = { namespace, name: 'by-chains' };
      const chains = await ChainsProcess.start({ stack: scene.stack, api: scene.api });
      try {
        await createCompletedRun(scene.api, { ...run, results: imageResults(image) });
        await waitForMarks(scene.api, run, ({ signed }) => signed === 'true', {
          what: 'being signed by Chains',
          timeoutMs: signedWithinMs,
        });
      } finally {
        await chains[Symbol.asyncDispose]();
      }
      await expectAdopted('by-chains', image, completeEvidence.chains);
    });
  }
});
