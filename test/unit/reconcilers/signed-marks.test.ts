import { expect } from 'chai';
import { attestBuild } from '../../../src/attestation/attest-build.ts';
import { planBuild } from '../../../src/attestation/plan-build.ts';
import type { BuildPolicy } from '../../../src/attestation/plan-build.ts';
import { planArtifact } from '../../../src/attestation/planned-artifact.ts';
import type { PlannedArtifact } from '../../../src/attestation/planned-artifact.ts';
import { taskRunFinalizer } from '../../../src/kube/finalizers.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { runAnnotationKeys as keys } from '../../../src/reconcilers/run-marks.ts';
import { parseTaskRun } from '../../../src/tekton/task-run.ts';
import { bothLayouts, fileResults, imageResults, pushApp, runObject } from '../attestation/builds.ts';
import { World, openSigstore } from '../attestation/world.ts';
import type { Sigstore } from '../attestation/world.ts';
import { soon } from '../registry/sample-images.ts';
import type { Workshop } from '../signing/signed-evidence.ts';
import { startController } from './controller-process.ts';
import type { ControllerProcess } from './controller-process.ts';
import { findRun, getRun, putRun } from './fake-cluster.ts';

/** As Tekton Chains signs by default: tags alone. */
const asChains: BuildPolicy = { ...bothLayouts, layouts: ['tag'] };

/** The provenance as SLSA v1, in which Tekton Chains' formats slsa/v2alpha3 and slsa/v2alpha4 put it. */
function asProvenanceV1(artifact: PlannedArtifact): PlannedArtifact {
  const statement = JSON.parse(Buffer.from(artifact.payload).toString('utf8')) as {
    readonly predicate: { readonly metadata: { readonly buildFinishedOn: string } };
  };
  const { buildFinishedOn: finishedOn } = statement.predicate.metadata;
  const predicateType = 'https://slsa.dev/provenance/v1';
  const predicate = { buildDefinition: {}, runDetails: { metadata: { finishedOn } } };
  const payload = Buffer.from(JSON.stringify({ ...statement, predicateType, predicate }));
  return planArtifact({ ...artifact, predicateType, payload });
}

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
    options: { completionTime?: string; policy?: BuildPolicy; workshop?: Workshop; isV1?: boolean } = {},
  ): Promise<void> {
    const { completionTime = '2026-11-22T10:00:05Z', policy = asChains, workshop, isV1 } = options;
    const { parts, store } = world.startProcess(workshop);
    const run = parseTaskRun(runObject(imageResults(image), { completionTime, uid: 'an-earlier-one' }));
    const plan = await planBuild(run, policy, { store, sources: [], signal: soon() });
    const { namespace, name, uid } = run.metadata;
    const artifacts = plan.artifacts.map((artifact) =>
      isV1 === true && artifact === plan.provenance ? asProvenanceV1(artifact) : artifact,
    );
    const job = { ...plan, artifacts, store, completedAt: new Date(completionTime) };
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

  it('of an earlier signer is adopted with SLSA v1 provenance', async () => {
    await signBefore({ isV1: true });
    putMarked('true');
    expect((await reconcile()).outcomes).to.deep.equal(['skipped']);
    expect(world.logIndices.size).to.equal(0);
  });

  it('is not believed for SLSA v1 provenance of another run that built the same digest', async () => {
    await signBefore({ isV1: true, completionTime: '2026-11-22T09:00:00Z' });
    putMarked('true');
    expect(reasonsOf(await reconcile())).to.deep.equal(['MarkNotBelieved', 'Signed']);
  });

  for (const [what, results, options] of [
    ['names nothing', {}, {}],
    ['failed', fileResults, { verdict: 'False' }],
  ] as const) {
    it(`of an earlier signer is adopted on a run that ${what}: there is nothing to sign`, async () => {
      const run = runObject(results, options);
      const metadata = {
        ...run.metadata,
        annotations: { [keys.signed]: 'true' },
        finalizers: [taskRunFinalizer],
      };
      putRun(world.objects, { ...run, metadata });
      const process = await reconcile();
      expect(process.outcomes).to.deep.equal(['skipped']);
      expect(process.notices).to.deep.equal([]);
      const settled = findRun(world.objects)?.metadata;
      expect(settled?.annotations).to.deep.equal({ [keys.signed]: 'true' });
      expect(settled?.finalizers).to.deep.equal([]);
    });
  }

  it('is not believed on a run that names files alone: they leave no evidence to verify', async () => {
    const run = runObject(fileResults);
    putRun(world.objects, {
      ...run,
      metadata: { ...run.metadata, annotations: { [keys.signed]: 'true' } },
    });
    expect(reasonsOf(await reconcile())).to.deep.equal(['MarkNotBelieved', 'Signed']);
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
