import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { OwnEvidence } from '../../../src/attestation/own-evidence.ts';
import { planBuild } from '../../../src/attestation/plan-build.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { hasPriorEvidence } from '../../../src/reconcilers/prior-evidence.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../../../src/statements/dsse.ts';
import { runAnnotations, runShortKey } from '../../../src/storage/run-annotation-storage.ts';
import { parseTaskRun } from '../../../src/tekton/task-run.ts';
import type { TaskRun } from '../../../src/tekton/task-run.ts';
import { bothLayouts, fileResults, imageResults, pushApp, runObject } from '../attestation/builds.ts';
import type { RunOptions } from '../attestation/builds.ts';
import { makeKey, signal, systemClock } from '../signing/signed-evidence.ts';

// Tekton Chains as its release comes: a key signs, nothing is logged, provenance lies on the run alone.
describe('provenance on a run that a key signed', () => {
  const key = makeKey();
  let folder: string;
  let store: ImageStore;
  let image: PinnedImage;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-prior-'));
    store = await openLayoutStore(folder, systemClock);
    image = await pushApp(store);
  });
  after(() => rm(folder, { recursive: true }));

  async function signed(
    results: Readonly<Record<string, string>>,
    options: RunOptions & { readonly by?: typeof key } = {},
  ): Promise<Readonly<Record<string, string>>> {
    const { by = key, ...rest } = options;
    const run = parseTaskRun(runObject(results, rest));
    const plan = await planBuild(run, { ...bothLayouts, isKeptOnRun: true }, { store, sources: [], signal });
    const payload = plan.provenance?.payload ?? Buffer.alloc(0);
    const sig = await by.sign(preAuthEncoding(inTotoPayloadType, payload));
    const signature = encodeEnvelope({
      payloadType: inTotoPayloadType,
      payload,
      signatures: [{ keyid: '', sig }],
    });
    return runAnnotations([{ shortKey: runShortKey('TaskRun', run.metadata.uid), payload, signature }]);
  }

  function marked(
    results: Readonly<Record<string, string>>,
    annotations: Readonly<Record<string, string>>,
  ): TaskRun {
    const object = runObject(results);
    return parseTaskRun({ ...object, metadata: { ...object.metadata, annotations } });
  }

  function isBelieved(run: TaskRun, isLogged = false): Promise<boolean> {
    const evidence = new OwnEvidence({ trustRoot: () => undefined, isLogged, clock: systemClock });
    return hasPriorEvidence(run, { store, evidenceRepository: undefined, evidence, key, signal });
  }

  it('is believed for the images and the files that it names', async () => {
    for (const results of [imageResults(image), fileResults, { ...imageResults(image), ...fileResults }]) {
      expect(await isBelieved(marked(results, await signed(results)))).to.equal(true);
    }
  });

  it('is not believed for anything else that the run names', async () => {
    const other = await pushApp(store, 'another');
    for (const [results, said] of [
      [imageResults(other), imageResults(image)],
      [{ ...imageResults(image), ...imageResults(other, 'OTHER_') }, imageResults(image)],
      [fileResults, imageResults(image)],
    ] as const) {
      expect(await isBelieved(marked(results, await signed(said)))).to.equal(false);
    }
  });

  it('is not believed by another key, of another run, where it should be logged, or unreadable', async () => {
    const results = imageResults(image);
    const stranger = await signed(results, { by: makeKey() });
    expect(await isBelieved(marked(results, stranger))).to.equal(false);
    const earlier = await signed(results, { completionTime: '2026-11-22T09:00:00Z' });
    expect(await isBelieved(marked(results, earlier))).to.equal(false);
    expect(await isBelieved(marked(results, await signed(results)), true)).to.equal(false);
    const name = `chains.tekton.dev/signature-${runShortKey('TaskRun', 'uid-of-build')}`;
    for (const text of ['', '%', Buffer.from('{}').toString('base64')])
      expect(await isBelieved(marked(results, { [name]: text }))).to.equal(false);
  });
});
