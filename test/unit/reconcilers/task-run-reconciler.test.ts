import { expect } from 'chai';
import { taskRunFinalizer } from '../../../src/kube/finalizers.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { runAnnotationKeys as keys } from '../../../src/reconcilers/run-marks.ts';
import {
  bothLayouts,
  fileResults,
  imageResults,
  pushApp,
  runObject,
  toolRepository,
} from '../attestation/builds.ts';
import type { RunOptions } from '../attestation/builds.ts';
import { World, openSigstore } from '../attestation/world.ts';
import type { Sigstore } from '../attestation/world.ts';
import { soon, unknownDigest } from '../registry/sample-images.ts';
import { startController } from './controller-process.ts';
import type { ControllerProcess } from './controller-process.ts';
import { deleteRun, findRun, getRun, putRun } from './fake-cluster.ts';

const complete = ['referrer statement', 'referrer statement', 'tag simple-signing', 'tag statement'];

describe('reconciling a TaskRun', () => {
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

  function put(results: Record<string, string>, options: RunOptions = {}): KubeObject {
    return putRun(world.objects, runObject(results, options));
  }

  async function reconcile({ reconciler }: ControllerProcess): Promise<void> {
    await reconciler.reconcile('team/build', { signal: soon() });
  }

  async function refusalOf(process: ControllerProcess): Promise<unknown> {
    return reconcile(process).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  async function held(about: PinnedImage = image): Promise<readonly string[]> {
    return (await world.readHeld(about)).map(({ layout, form }) => `${layout} ${form}`).sort();
  }

  const annotationsOf = (): Readonly<Record<string, string>> =>
    findRun(world.objects)?.metadata.annotations ?? {};
  const finalizersOf = (): readonly string[] => findRun(world.objects)?.metadata.finalizers ?? [];
  const phaseOf = (): unknown => {
    const records = [...world.objects.objects.entries()].filter(([key]) => key.startsWith('signingrecords'));
    return records.map(([, { spec }]) => (spec as { phase: string }).phase).join();
  };

  it('holds a running run with the finalizer, and signs nothing yet', async () => {
    put(imageResults(image), { verdict: 'Unknown' });
    const process = startController(world);
    await reconcile(process);
    expect(finalizersOf()).to.deep.equal([taskRunFinalizer]);
    expect(await held()).to.deep.equal([]);
    expect(annotationsOf()).to.deep.equal({});
  });

  it('signs a completed run, marks it with its log entries and lets it go', async () => {
    put(imageResults(image));
    const process = startController(world);
    await reconcile(process);
    expect(await held()).to.deep.equal(complete);
    const annotations = annotationsOf();
    expect(annotations[keys.signed]).to.equal('true');
    const listed = JSON.parse(annotations[keys.logEntries] ?? '') as { kind: string; logIndex: number }[];
    expect(listed.map(({ kind }) => kind)).to.deep.equal(['signature', 'signature', 'provenance']);
    expect(new Set(listed.map(({ logIndex }) => logIndex))).to.deep.equal(world.logIndices);
    expect(annotations[keys.transparency]).to.match(
      new RegExp(`/api/v1/log/entries\\?logIndex=${listed[2]?.logIndex ?? -1}$`),
    );
    expect(finalizersOf()).to.deep.equal([]);
    expect(phaseOf()).to.equal('Complete');
    expect(process.notices.map(({ reason }) => reason)).to.deep.equal(['Signed']);
    expect(process.outcomes).to.deep.equal(['signed']);
  });

  it('does nothing more to a run that it signed', async () => {
    put(imageResults(image));
    await reconcile(startController(world));
    const before = findRun(world.objects);
    const process = startController(world);
    await reconcile(process);
    expect(findRun(world.objects)).to.equal(before);
    expect(process.outcomes).to.deep.equal(['skipped']);
    expect(process.mishaps.steps).to.deep.equal(['client.get', 'records.find']);
  });

  it('does not sign a failed run: there is nothing to sign', async () => {
    put(imageResults(image), { verdict: 'False' });
    const process = startController(world);
    await reconcile(process);
    expect(await held()).to.deep.equal([]);
    expect(annotationsOf()).to.deep.equal({ [keys.signed]: 'true', [keys.result]: 'nothing-to-sign' });
    expect(finalizersOf()).to.deep.equal([]);
    expect(process.outcomes).to.deep.equal(['nothing-to-sign']);
    await reconcile(process);
    expect(process.outcomes).to.deep.equal(['nothing-to-sign', 'skipped']);
  });

  it('marks a run without results as having nothing to sign', async () => {
    put({});
    const process = startController(world);
    await reconcile(process);
    expect(annotationsOf()).to.deep.equal({ [keys.signed]: 'true', [keys.result]: 'nothing-to-sign' });
    expect(world.logIndices.size).to.equal(0);
    expect(process.notices.map(({ reason }) => reason)).to.deep.equal(['NothingToSign']);
  });

  it('fails a run for an absent subject with ERR_SUBJECT_ABSENT, and signs its other image', async () => {
    const absent = { repository: toolRepository, digest: unknownDigest };
    put({ ...imageResults(image), ...imageResults(absent, 'TOOL_') });
    const process = startController(world);
    await reconcile(process);
    const annotations = annotationsOf();
    expect(annotations[keys.signed]).to.equal('failed');
    expect(annotations[keys.error]).to.match(/^ERR_SUBJECT_ABSENT: .*golem-trust\/tool@sha256:/);
    expect(annotations[keys.logEntries]).to.include('provenance');
    expect(await held()).to.deep.equal(complete);
    expect(phaseOf()).to.equal('Failed');
    expect(process.notices.map(({ reason, type }) => `${type} ${reason}`)).to.deep.equal([
      'Warning SubjectInvalid',
    ]);
    expect(finalizersOf()).to.deep.equal([]);
    await reconcile(process);
    expect(process.outcomes).to.deep.equal(['failed', 'ERR_SUBJECT_ABSENT', 'skipped']);
  });

  it('fails a run for a result that cannot be read with ERR_TEKTON_RESULT, and signs its other image', async () => {
    put({ ...imageResults(image), BAD_IMAGE_URL: 'harbor/app', BAD_IMAGE_DIGEST: 'latest' });
    const process = startController(world);
    await reconcile(process);
    expect(annotationsOf()[keys.signed]).to.equal('failed');
    expect(annotationsOf()[keys.error]).to.match(/^ERR_TEKTON_RESULT: /);
    expect(await held()).to.deep.equal(complete);
    expect(process.notices.map(({ reason }) => reason)).to.deep.equal(['ResultInvalid']);
  });

  it('fails an object that is no TaskRun with ERR_TEKTON_TASKRUN, without trying again', async () => {
    const run = runObject({});
    putRun(world.objects, { ...run, status: { conditions: 'done' } });
    const process = startController(world);
    await reconcile(process);
    expect(annotationsOf()[keys.signed]).to.equal('failed');
    expect(annotationsOf()[keys.error]).to.match(/^ERR_TEKTON_TASKRUN: /);
    expect(phaseOf()).to.equal('Failed');
  });

  it('says on the run why it waits, throws for another try, and never marks a passing fault as failed', async () => {
    put(imageResults(image));
    const process = startController(world);
    process.mishaps.plan = (step) => (step === 'log.append' ? 'fails-before' : undefined);
    for (let tries = 0; tries < 3; tries += 1) {
      expect(await refusalOf(process)).to.have.property('code', 'ERR_TEST_MISHAP');
      expect(annotationsOf()).to.deep.equal({ [keys.error]: 'ERR_TEST_MISHAP: log.append went wrong' });
      expect(finalizersOf()).to.deep.equal([taskRunFinalizer]);
      expect(phaseOf()).to.equal('Intended');
    }
    expect(new Set(process.outcomes)).to.deep.equal(new Set(['retried', 'ERR_TEST_MISHAP']));
    process.mishaps.plan = () => undefined;
    await reconcile(process);
    expect(annotationsOf()[keys.signed]).to.equal('true');
    expect(annotationsOf()).to.not.have.property(keys.error);
    expect(await held()).to.deep.equal(complete);
  });

  it('keeps the provenance of files on the run, without a second log entry if the mark fails first', async () => {
    put({ ...imageResults(image), ...fileResults });
    const process = startController(world);
    let isLeft = true;
    process.mishaps.plan = (step) => {
      if (step !== 'client.mergePatch' || !isLeft) return undefined;
      isLeft = false;
      return 'fails-before';
    };
    expect(await refusalOf(process)).to.have.property('code', 'ERR_TEST_MISHAP');
    await reconcile(process);
    expect(annotationsOf()[keys.signed]).to.equal('true');
    const payload = annotationsOf()['chains.tekton.dev/payload-taskrun-uid-of-build'] ?? '';
    expect(Buffer.from(payload, 'base64').toString('utf8')).to.include(fileResults.REPORT_ARTIFACT_URI);
    for (const part of ['cert', 'chain']) {
      const pem = annotationsOf()[`chains.tekton.dev/${part}-taskrun-uid-of-build`] ?? '';
      expect(Buffer.from(pem, 'base64').toString('utf8')).to.match(/^-----BEGIN CERTIFICATE-----/);
    }
    const envelope = annotationsOf()['chains.tekton.dev/signature-taskrun-uid-of-build'] ?? '';
    expect(JSON.parse(Buffer.from(envelope, 'base64').toString('utf8'))).to.include({
      payload,
      payloadType: 'application/vnd.in-toto+json',
    });
    expect(world.logIndices.size).to.equal(3);
    expect(await held()).to.deep.equal(complete);
  });

  it('keeps the provenance of files on a run that fails for something else', async () => {
    const absent = { repository: toolRepository, digest: unknownDigest };
    put({ ...imageResults(absent), ...fileResults });
    await reconcile(startController(world));
    expect(annotationsOf()[keys.signed]).to.equal('failed');
    const payload = annotationsOf()['chains.tekton.dev/payload-taskrun-uid-of-build'] ?? '';
    expect(Buffer.from(payload, 'base64').toString('utf8'))
      .to.include(fileResults.REPORT_ARTIFACT_URI)
      .and.to.not.include('golem-trust/tool');
  });

  it('fails a run whose provenance does not fit on it with ERR_STORAGE_TOO_LARGE', async () => {
    const many: Record<string, string> = {};
    for (let at = 0; at < 900; at += 1) {
      many[`F${at}_ARTIFACT_URI`] = `https://reports.golems.internal/${'long'.repeat(10)}/${at}.pdf`;
      many[`F${at}_ARTIFACT_DIGEST`] = `sha256:${'f'.repeat(64)}`;
    }
    put(many);
    await reconcile(startController(world));
    expect(annotationsOf()[keys.signed]).to.equal('failed');
    expect(annotationsOf()[keys.error]).to.match(/^ERR_STORAGE_TOO_LARGE: /);
    expect(phaseOf()).to.equal('Failed');
  });

  it('makes one provenance for all images of a run, also if one registry was away at first', async () => {
    const tool = await pushApp(world.store, 'tool', toolRepository);
    put({ ...imageResults(image), ...imageResults(tool, 'TOOL_') });
    const process = startController(world);
    let manifests = 0;
    process.mishaps.plan = (step) => {
      if (step === 'store.getManifest') manifests += 1;
      return step === 'store.getManifest' && manifests === 2 ? 'fails-before' : undefined;
    };
    expect(await refusalOf(process)).to.have.property('code', 'ERR_TEST_MISHAP');
    await reconcile(process);
    for (const each of [image, tool]) expect(await held(each)).to.deep.equal(complete);
  });

  it('leaves alone what somebody else manages, unless the settings name them', async () => {
    const run = runObject(imageResults(image));
    putRun(world.objects, {
      ...run,
      spec: { managedBy: 'kueue.x-k8s.io/multikueue' },
    });
    const before = findRun(world.objects);
    await reconcile(startController(world));
    expect(findRun(world.objects)).to.equal(before);
    await reconcile(startController(world, { managedBy: ['kueue.x-k8s.io/multikueue'] }));
    expect(annotationsOf()[keys.signed]).to.equal('true');
  });

  it('has nothing to do for a run that is gone', async () => {
    await reconcile(startController(world));
  });

  it('signs to tags alone if the settings say so', async () => {
    put(imageResults(image));
    await reconcile(startController(world, { policy: { ...bothLayouts, layouts: ['tag'] } }));
    expect(await held()).to.deep.equal(['tag simple-signing', 'tag statement']);
    expect(world.logIndices.size).to.equal(2);
  });

  describe('that is being deleted', () => {
    const hourAgo = (): Date => new Date(Date.now() - 3_700_000);

    async function holdThenComplete(): Promise<void> {
      put(imageResults(image), { verdict: 'Unknown' });
      await reconcile(startController(world));
      const { status } = runObject(imageResults(image));
      putRun(world.objects, { ...getRun(world.objects), status });
    }

    it('lets a run go that is deleted while it runs', async () => {
      put(imageResults(image), { verdict: 'Unknown' });
      await reconcile(startController(world));
      deleteRun(world.objects, new Date());
      await reconcile(startController(world));
      expect(findRun(world.objects)).to.equal(undefined);
      expect(await held()).to.deep.equal([]);
    });

    it('signs a completed one before it lets it go', async () => {
      await holdThenComplete();
      deleteRun(world.objects, new Date());
      await reconcile(startController(world));
      expect(findRun(world.objects)).to.equal(undefined);
      expect(await held()).to.deep.equal(complete);
      expect(phaseOf()).to.equal('Complete');
    });

    it('holds one that cannot be signed yet', async () => {
      await holdThenComplete();
      deleteRun(world.objects, new Date());
      const process = startController(world);
      process.mishaps.plan = (step) => (step === 'log.append' ? 'fails-before' : undefined);
      expect(await refusalOf(process)).to.have.property('code', 'ERR_TEST_MISHAP');
      expect(finalizersOf()).to.deep.equal([taskRunFinalizer]);
    });

    it('lets one go unsigned after the time that the settings give, and says so', async () => {
      await holdThenComplete();
      deleteRun(world.objects, hourAgo());
      const process = startController(world);
      process.mishaps.plan = (step) => (step === 'log.append' ? 'fails-before' : undefined);
      expect(await refusalOf(process)).to.have.property('code', 'ERR_TEST_MISHAP');
      expect(findRun(world.objects)).to.equal(undefined);
      expect(process.notices.at(-1)).to.deep.include({ reason: 'SigningFailed' });
    });

    it('lets one go after that time also if its mark cannot be judged', async () => {
      await holdThenComplete();
      const run = getRun(world.objects);
      const annotations = { [keys.signed]: 'true' };
      putRun(world.objects, { ...run, metadata: { ...run.metadata, annotations } });
      deleteRun(world.objects, hourAgo());
      const process = startController(world);
      process.mishaps.plan = (step) => (step.startsWith('store.') ? 'fails-before' : undefined);
      expect(await refusalOf(process)).to.have.property('code', 'ERR_TEST_MISHAP');
      expect(findRun(world.objects)).to.equal(undefined);
    });
  });

  describe('that is left unsigned on purpose', () => {
    const skip = { by: 'ChainwrightConfig default', why: 'signer.type is none' };

    it('says so once and is let go, and is signed when that ends', async () => {
      putRun(world.objects, { ...runObject(imageResults(image)), metadata: heldMetadata() });
      const skipping = startController(world, { skip });
      for (let pass = 0; pass < 2; pass += 1) {
        await skipping.reconciler.reconcile('team/build', { signal: soon() });
      }
      const { annotations, finalizers } = getRun(world.objects).metadata;
      expect(annotations).to.deep.equal({ 'chainwright.dev/result': 'skipped' });
      expect(finalizers).to.deep.equal([]);
      expect(skipping.notices.map(({ reason }) => reason)).to.deep.equal(['SigningSkipped']);
      expect(world.counted).to.deep.equal([]);

      await startController(world).reconciler.reconcile('team/build', { signal: soon() });
      const signed = getRun(world.objects).metadata.annotations ?? {};
      expect(signed).to.include({ 'chains.tekton.dev/signed': 'true' });
      expect(signed).to.not.have.property('chainwright.dev/result');
    });

    function heldMetadata(): KubeObject['metadata'] {
      return { ...runObject(imageResults(image)).metadata, finalizers: [taskRunFinalizer] };
    }
  });
});
