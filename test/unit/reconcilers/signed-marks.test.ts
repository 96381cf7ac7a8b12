import { expect } from 'chai';
import { attestBuild } from '../../../src/attestation/attest-build.ts';
import { planBuild } from '../../../src/attestation/plan-build.ts';
import type { BuildPolicy } from '../../../src/attestation/plan-build.ts';
import { taskRunFinalizer } from '../../../src/kube/finalizers.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { runAnnotationKeys as keys } from '../../../src/reconcilers/run-marks.ts';
import { parseTaskRun } from '../../../src/tekton/task-run.ts';
import { bothLayouts, imageResults, pushApp, runObject } from '../attestation/builds.ts';
import { World, openSigstore } from '../attestation/world.ts';
import type { Sigstore } from '../attestation/world.ts';
import { soon } from '../registry/sample-images.ts';
import type { Workshop } from '../signing/signed-evidence.ts';
import { startController } from './controller-process.ts';
import type { ControllerProcess } from './controller-process.ts';
import { findRun, getRun, putRun } from './fake-cluster.ts';

/** As Tekton Chains signs by default: tags alone. */
const asChains: BuildPolicy = { ...bothLayouts, layouts: ['tag'] };

describe('a mark on a run', () => {
  let sigstore: Sigstore;
  let world: World;
  let image: PinnedImage;
  before(async () => {
    sigstore = await openSigstore();
  });
  after(() => sigstore[Symbol.asyncDispose]());
  beforeEach(async () => {
    world = await World.open(sigstore);
    image = await pushApp(world.store);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  function putMarked(mark: string, more: Readonly<Record<string, string>> = {}): void {
    const run = runObject(imageResults(image));
    const metadata = {
      ...run.metadata,
      annotations: { [keys.signed]: mark, ...more },
      finalizers: [taskRunFinalizer],
    };
    putRun(world.objects, { ...run, metadata });
  }

  async function reconcile(process: ControllerProcess = startController(world)): Promise<ControllerProcess> {
    await process.reconciler.reconcile('team/build', { signal: soon() });
    return process;
  }

  /** Signs that image as an earlier signer would have, and leaves no record of it. */
  async function signBefore(
    options: { completionTime?: string; policy?: BuildPolicy; workshop?: Workshop } = {},
  ): Promise<void> {
    const { completionTime = '2026-11-22T10:00:05Z', policy = asChains, workshop } = options;
    const { parts, store } = world.startProcess(workshop);
    const run = parseTaskRun(runObject(imageResults(image), { completionTime, uid: 'an-earlier-one' }));
    const plan = await planBuild(run, policy, { store, sources: [], signal: soon() });
    const { namespace, name, uid } = run.metadata;
    const job = { ...plan, store, completedAt: new Date(completionTime) };
    await attestBuild({ ...job, run: { kind: 'TaskRun', namespace, name, uid } }, parts, { signal: soon() });
    world.objects.objects.clear();
    world.logIndices.clear();
  }

  const markOf = (): string | undefined => findRun(world.objects)?.metadata.annotations?.[keys.signed];
  const reasonsOf = ({ notices }: ControllerProcess): readonly string[] =>
    notices.map(({ reason }) => reason);

  for (const mark of ['true', 'failed']) {
    it(`"${mark}" that nothing supports is not believed: the run is signed`, async () => {
      putMarked(mark);
      const process = await reconcile();
      expect(reasonsOf(process)).to.deep.equal(['MarkNotBelieved', 'Signed']);
      expect(markOf()).to.equal('true');
      expect(await world.readHeld(image)).to.have.lengthOf(4);
      expect(findRun(world.objects)?.metadata.finalizers).to.deep.equal([]);
    });
  }

  it('of another value counts as none', async () => {
    putMarked('yes');
    expect(reasonsOf(await reconcile())).to.deep.equal(['Signed']);
    expect(markOf()).to.equal('true');
  });

  it('is believed with a complete record, without asking the registry', async () => {
    putMarked('false');
    await reconcile();
    const before = world.logIndices.size;
    const process = await reconcile();
    expect(process.outcomes).to.deep.equal(['skipped']);
    expect(process.mishaps.steps).to.deep.equal(['client.get', 'records.find']);
    expect(world.logIndices.size).to.equal(before);
  });

  it('changed from failed to true is not believed, and becomes failed again', async () => {
    const run = runObject({ IMAGE_URL: 'harbor/app', IMAGE_DIGEST: 'latest' });
    putRun(world.objects, run);
    await reconcile();
    expect(markOf()).to.equal('failed');
    const forged = { ...findRun(world.objects)?.metadata.annotations, [keys.signed]: 'true' };
    const current = getRun(world.objects);
    putRun(world.objects, { ...current, metadata: { ...current.metadata, annotations: forged } });
    expect(reasonsOf(await reconcile())).to.deep.equal(['MarkNotBelieved', 'ResultInvalid']);
    expect(markOf()).to.equal('failed');
  });

  for (const policy of [asChains, { ...bothLayouts, layouts: ['referrer'] } as BuildPolicy]) {
    it(`of an earlier signer is adopted with its provenance as ${policy.layouts.join()}`, async () => {
      await signBefore({ policy });
      putMarked('true', { [keys.error]: 'ERR_REGISTRY_SERVER: it was ill when we first looked' });
      const process = await reconcile(startController(world));
      expect(process.outcomes).to.deep.equal(['skipped']);
      expect(process.notices).to.deep.equal([]);
      expect(world.logIndices.size).to.equal(0);
      const { annotations, finalizers } = findRun(world.objects)?.metadata ?? {};
      expect(annotations).to.deep.equal({ [keys.signed]: 'true' });
      expect(finalizers).to.deep.equal([]);
      await reconcile();
      expect(process.outcomes).to.deep.equal(['skipped']);
    });
  }

  it('of an earlier signer is adopted with its provenance in the evidence repository', async () => {
    const evidenceRepository = parseRepository('harbor.golems.internal/golem-trust/evidence');
    const policy = { ...asChains, evidenceRepository };
    await signBefore({ policy });
    putMarked('true');
    const process = await reconcile(startController(world, { policy }));
    expect(process.outcomes).to.deep.equal(['skipped']);
  });

  it('is not believed for the provenance of another run that built the same digest', async () => {
    await signBefore({ completionTime: '2026-11-22T09:00:00Z' });
    putMarked('true');
    const process = await reconcile();
    expect(reasonsOf(process)).to.deep.equal(['MarkNotBelieved', 'Signed']);
    expect(world.logIndices.size).to.equal(3);
  });

  it('is not believed for provenance that another identity signed', async () => {
    await signBefore({ workshop: sigstore.stranger });
    putMarked('true');
    expect(reasonsOf(await reconcile())).to.deep.equal(['MarkNotBelieved', 'Signed']);
  });

  it('is not believed for an image signature alone', async () => {
    const { signImages, isKeptOnRun } = bothLayouts;
    await signBefore({ policy: { signImages, isKeptOnRun, layouts: ['tag'] } });
    putMarked('true');
    expect(reasonsOf(await reconcile())).to.deep.equal(['MarkNotBelieved', 'Signed']);
  });

  it('that is set while we are half done does not end the job', async () => {
    putRun(world.objects, runObject(imageResults(image)));
    const process = startController(world);
    process.mishaps.plan = (step) => (step === 'store.putReferrer' ? 'fails-before' : undefined);
    await reconcile(process).catch(() => undefined);
    expect(await world.readHeld(image)).to.have.lengthOf(2);
    const current = getRun(world.objects);
    const annotations = { [keys.signed]: 'true' };
    putRun(world.objects, { ...current, metadata: { ...current.metadata, annotations } });
    await reconcile();
    expect(await world.readHeld(image)).to.have.lengthOf(4);
  });

  it('waits while the registry that could support it is away', async () => {
    putMarked('true');
    const process = startController(world);
    process.mishaps.plan = (step) => (step.startsWith('store.') ? 'fails-before' : undefined);
    const refusal = await reconcile(process).catch((error: unknown) => error);
    expect(refusal).to.have.property('code', 'ERR_TEST_MISHAP');
    expect(findRun(world.objects)?.metadata.annotations?.[keys.error]).to.match(/^ERR_TEST_MISHAP: /);
    expect(process.outcomes).to.deep.equal(['retried', 'ERR_TEST_MISHAP']);
  });
});
