import { expect } from 'chai';
import { attestBuild } from '../../../src/attestation/attest-build.ts';
import type { AttestationOutcome } from '../../../src/attestation/attest-build.ts';
import { AppError } from '../../../src/model/errors.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import { attachmentTag } from '../../../src/registry/attachments-by-tag.ts';
import { describeBytes, encode, indexOf, soon } from '../registry/sample-images.ts';
import { bothLayouts, fileResults, imageResults, jobOf, planOf, pushApp, toolRepository } from './builds.ts';
import type { MishapPlan } from './mishaps.ts';
import { World, openSigstore } from './world.ts';
import type { Process, Sigstore } from './world.ts';

const complete = ['referrer statement', 'referrer statement', 'tag simple-signing', 'tag statement'];

const config = Buffer.from('{}');
const emptyAttachments = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  config: describeBytes(config, mediaTypes.ociConfig),
  layers: [],
};

/** Lets the first call of that name go wrong. */
function once(step: string, mishap: ReturnType<MishapPlan> = 'fails-before'): MishapPlan {
  let isLeft = true;
  return (name) => {
    if (name !== step || !isLeft) return undefined;
    isLeft = false;
    return mishap;
  };
}

describe('attesting a build', () => {
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

  async function attest(
    { parts, store }: Process,
    results: Readonly<Record<string, string>> = imageResults(image),
  ): Promise<AttestationOutcome> {
    const planned = await planOf(results, world.store, bothLayouts);
    return attestBuild(jobOf(planned, store), parts, { signal: soon() });
  }

  async function heldBeside(about: PinnedImage): Promise<readonly string[]> {
    const held = await world.readHeld(about);
    return held.map(({ layout, form }) => `${layout} ${form}`).sort();
  }

  const codesOf = ({ faults }: AttestationOutcome): readonly string[] => faults.map(({ code }) => code);

  it('signs, logs and stores every artifact once, and records it', async () => {
    const { record, signed, faults } = await attest(world.startProcess());
    expect(faults).to.deep.equal([]);
    expect(await heldBeside(image)).to.deep.equal(complete);
    expect(world.logIndices.size).to.equal(3);
    expect(signed).to.have.lengthOf(3);
    expect(record).to.include({ phase: 'Complete', uid: 'uid-of-build' });
    expect(
      record.artifacts.map(({ kind, destinations }) => [kind, destinations.map(({ layout }) => layout)]),
    ).to.deep.equal([
      ['signature', ['tag']],
      ['signature', ['referrer']],
      ['provenance', ['tag', 'referrer']],
    ]);
    expect(new Set(record.artifacts.map(({ entry }) => entry?.logIndex))).to.deep.equal(world.logIndices);
  });

  it('counts what it signs, logs and stores', async () => {
    await attest(world.startProcess());
    expect([...world.counted].sort()).to.deep.equal([
      'logged provenance',
      'logged signature',
      'logged signature',
      'pushed referrer provenance',
      'pushed referrer signature',
      'pushed tag provenance',
      'pushed tag signature',
      'signed provenance',
      'signed signature',
      'signed signature',
    ]);
  });

  it('records what it is about to sign, and with which key, before the log hears of it', async () => {
    const process = world.startProcess();
    const seen: string[] = [];
    const uid = 'uid-of-build';
    process.mishaps.plan = (step) => {
      if (step === 'log.append') {
        const spec = [...world.objects.objects.values()].find(({ metadata }) => metadata.name === uid)?.[
          'spec'
        ];
        seen.push(JSON.stringify(spec ?? 'nothing is recorded'));
      }
      return undefined;
    };
    const { record } = await attest(process);
    const { fingerprint } = await sigstore.workshop.signer.acquire({ signal: soon() });
    expect(seen).to.have.lengthOf(3);
    for (const spec of seen) {
      expect(spec).to.include('"phase":"Intended"').and.to.include(fingerprint);
      for (const { payloadDigest } of record.artifacts) expect(spec).to.include(payloadDigest);
    }
  });

  it('reaches neither log nor registry if the intent cannot be recorded', async () => {
    const process = world.startProcess();
    process.mishaps.plan = once('records.save');
    const refusal = await attest(process).catch((error: unknown) => error);
    expect(refusal).to.have.property('code', 'ERR_TEST_MISHAP');
    expect(process.mishaps.steps).to.not.include('log.append');
    expect(await heldBeside(image)).to.deep.equal([]);
  });

  it('leaves the other artifacts alone if the log refuses one, and logs that one alone on the next try', async () => {
    const process = world.startProcess();
    process.mishaps.plan = once('log.append');
    const first = await attest(process);
    expect(codesOf(first)).to.deep.equal(['ERR_TEST_MISHAP']);
    expect(first.record).to.include({
      phase: 'Intended',
      fault: 'ERR_TEST_MISHAP: log.append went wrong',
    });
    expect(await heldBeside(image)).to.have.lengthOf(3);

    const { record, faults, signed } = await attest(process);
    expect(faults).to.deep.equal([]);
    expect(record.phase).to.equal('Complete');
    expect(record).to.not.have.property('fault');
    expect(signed).to.have.lengthOf(1);
    expect(await heldBeside(image)).to.deep.equal(complete);
    expect(world.logIndices.size).to.equal(3);
  });

  it('sends the same signature again if the answer of the log was lost', async () => {
    const process = world.startProcess();
    process.mishaps.plan = once('log.append', 'fails-after');
    expect(codesOf(await attest(process))).to.deep.equal(['ERR_TEST_MISHAP']);
    expect(codesOf(await attest(process))).to.deep.equal([]);
    expect(world.logIndices.size).to.equal(3);
    expect(await heldBeside(image)).to.deep.equal(complete);
  });

  for (const step of ['store.updateTag', 'store.putReferrer', 'store.putBlob', 'store.listReferrers']) {
    for (const mishap of ['fails-before', 'fails-after'] as const) {
      it(`stores what is missing alone after ${step} ${mishap}, and makes no second log entry`, async () => {
        const process = world.startProcess();
        process.mishaps.plan = once(step, mishap);
        const first = await attest(process);
        expect(new Set(codesOf(first))).to.deep.equal(new Set(['ERR_TEST_MISHAP']));
        expect((await heldBeside(image)).length, 'the others are stored').to.be.at.least(2);
        const stepsBefore = process.mishaps.steps.length;
        const second = await attest(process);
        expect(codesOf(second)).to.deep.equal([]);
        expect(process.mishaps.steps.slice(stepsBefore)).to.not.include('log.append');
        expect(await heldBeside(image)).to.deep.equal(complete);
        expect(world.logIndices.size).to.equal(3);
      });
    }
  }

  it('does nothing but look if a new process finds everything in its place', async () => {
    await attest(world.startProcess());
    const process = world.startProcess(sigstore.renewed);
    const { record, signed, faults } = await attest(process);
    expect(faults).to.deep.equal([]);
    expect(signed).to.deep.equal([]);
    expect(record.phase).to.equal('Complete');
    expect(record.artifacts.every(({ entry }) => entry !== undefined)).to.equal(true);
    const writes = /^log\.|^store\.(?:put|updateTag)/;
    expect(process.mishaps.steps.filter((step) => writes.test(step))).to.deep.equal([]);
    expect(await heldBeside(image)).to.deep.equal(complete);
  });

  it('puts back what the registry lost, and nothing else', async () => {
    await attest(world.startProcess());
    const process = world.startProcess();
    const emptied = encode(emptyAttachments);
    await world.store.putManifest(image.repository, attachmentTag(image.digest, 'att'), emptied, {
      signal: soon(),
    });
    expect(await heldBeside(image)).to.have.lengthOf(3);
    expect(codesOf(await attest(process))).to.deep.equal([]);
    expect(await heldBeside(image)).to.deep.equal(complete);
    expect(world.logIndices.size).to.equal(4);
  });

  it('signs again if the record is lost, and leaves in the registry what it finds there', async () => {
    await attest(world.startProcess());
    world.objects.objects.clear();
    expect(codesOf(await attest(world.startProcess()))).to.deep.equal([]);
    expect(await heldBeside(image)).to.deep.equal(complete);
  });

  it('looks elsewhere while one place cannot be looked into, and writes nothing there blindly', async () => {
    const tool = await pushApp(world.store, 'tool', toolRepository);
    const results = { ...imageResults(image), ...imageResults(tool, 'TOOL_') };
    const first = world.startProcess();
    first.mishaps.plan = (step) => (step.startsWith('store.put') ? 'fails-before' : undefined);
    await attest(first, results);
    expect([...(await heldBeside(image)), ...(await heldBeside(tool))]).to.deep.equal([]);

    await world.store.putManifest(image.repository, attachmentTag(image.digest, 'sig'), indexOf([]), {
      signal: soon(),
    });
    const second = await attest(world.startProcess(), results);
    expect(codesOf(second)).to.deep.equal(['ERR_REGISTRY_TAG_FOREIGN']);
    expect(await heldBeside(tool)).to.deep.equal(complete);
    const entries = world.logIndices.size;
    expect(codesOf(await attest(world.startProcess(), results))).to.deep.equal(['ERR_REGISTRY_TAG_FOREIGN']);
    expect(world.logIndices.size, 'log entries for a place that is blocked').to.equal(entries);
  });

  it('keeps the record of what an earlier plan meant to sign', async () => {
    const first = world.startProcess();
    first.mishaps.plan = (step) => (step.startsWith('store.put') ? 'fails-before' : undefined);
    const { record: before } = await attest(first);
    const { record } = await attest(world.startProcess(), { ...imageResults(image), ...fileResults });
    const digests = record.artifacts.map(({ payloadDigest }) => payloadDigest);
    expect(digests).to.include.members(before.artifacts.map(({ payloadDigest }) => payloadDigest));
    expect(digests).to.have.lengthOf(4);
  });

  it('records faults of the plan where nothing can be signed', async () => {
    const fault = new AppError('ERR_SUBJECT_ABSENT', 'it is not there', { kind: 'permanent' });
    const { parts, store } = world.startProcess();
    const planned = await planOf({}, world.store);
    const job = { ...jobOf(planned, store), faults: [fault] };
    const { record, signed } = await attestBuild(job, parts, { signal: soon() });
    expect(record).to.deep.include({
      phase: 'Failed',
      artifacts: [],
      fault: 'ERR_SUBJECT_ABSENT: it is not there',
    });
    expect(signed).to.deep.equal([]);
  });

  it('is not complete, and not failed, while a fault may pass', async () => {
    const permanent = new AppError('ERR_SUBJECT_ABSENT', 'it is not there', { kind: 'permanent' });
    const passing = new AppError('ERR_REGISTRY_SERVER', 'it is ill', { kind: 'passing' });
    const { parts, store } = world.startProcess();
    const planned = await planOf(imageResults(image), world.store);
    const job = { ...jobOf(planned, store), faults: [permanent, passing] };
    const { record } = await attestBuild(job, parts, { signal: soon() });
    expect(record.phase).to.equal('Intended');
    expect(await heldBeside(image)).to.deep.equal(complete);
  });

  const nobody = { logs: [], timestampAuthorities: [], trustRoot: undefined };

  it('signs without a log if the settings switch it off', async () => {
    const { parts, store } = world.startProcess();
    const planned = await planOf(imageResults(image), world.store);
    const { record, faults } = await attestBuild(
      jobOf(planned, store),
      { ...parts, witnesses: { current: () => Promise.resolve(nobody) } },
      { signal: soon() },
    );
    expect(faults).to.deep.equal([]);
    expect(record.artifacts.every(({ entry }) => entry === undefined)).to.equal(true);
    expect(world.logIndices.size).to.equal(0);
  });
});
