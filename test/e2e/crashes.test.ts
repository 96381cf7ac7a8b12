import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { completeEvidence, listEvidence, summarise } from '../support/attached-evidence.ts';
import type { ControllerProcess } from '../support/controller-process.ts';
import { isFullRun } from '../support/full-run.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import { isExplained, listRecords, untilLogged } from '../support/logged-entries.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../support/task-runs.ts';

const kills = isFullRun ? 100 : 5;
const runsPerKill = 3;
// A run takes about that long, so the kill lands anywhere between its first step and its last.
const longestDelayMs = 900;

describe(`a controller that is killed ${kills} times in the midst of its work`, () => {
  let scene: Scene;
  let namespace: string;
  let controller: ControllerProcess;
  const images = new Map<string, PushedImage>();

  before(async () => {
    scene = await openScene();
    namespace = await scene.namespace('crashes');
    const settings = { controller: { retry: { base: '500ms', max: '5s' } } };
    controller = await scene.controller([namespace], { settings });
    for (let kill = 0; kill < kills; kill += 1) {
      for (let run = 0; run < runsPerKill; run += 1) {
        const name = `run-${kill}-${run}`;
        const image = await pushImage(scene.registry, `${scene.stack.registry}/crashes`);
        images.set(name, image);
        await createCompletedRun(scene.api, { namespace, name, results: imageResults(image) });
      }
      await sleep(Math.random() * longestDelayMs);
      await controller.kill();
      await controller.resume();
    }
  }).timeout(300_000 + kills * 60_000);

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  it('signs every run in the end', async () => {
    for (const name of images.keys()) await waitUntilSigned(scene.api, { namespace, name }, 120_000);
  }).timeout(300_000 + kills * 5000);

  it('leaves exactly one signature, one provenance and one SBOM in each layout on every image', async () => {
    for (const [name, image] of images) {
      const evidence = await listEvidence(scene.registry, image, image.digest);
      expect(summarise(evidence), `${name} ${image.ref}`).to.deep.equal(completeEvidence.both);
    }
  }).timeout(300_000 + kills * 10_000);

  it('leaves no log entry that its signing records do not explain', async () => {
    const records = await listRecords(scene.api, namespace);
    expect(records).to.have.length(images.size);
    for (const { spec } of records) {
      expect(spec.phase, spec.run.name).to.equal('Complete');
      const digest = images.get(spec.run.name)?.digest ?? '';
      const facts = await untilLogged(scene.judges, { digest, artifacts: spec.artifacts, atLeast: 4 });
      const unexplained = facts.filter((fact) => !isExplained(fact, spec.artifacts));
      expect(unexplained, spec.run.name).to.be.empty;
    }
  }).timeout(300_000 + kills * 60_000);

  it('leaves every image such that cosign verifies it', async () => {
    for (const [name, { ref }] of [...images].slice(0, 5)) {
      const verified = await scene.judges.verify(ref);
      expect(verified.code, `${name}: ${verified.stderr}`).to.equal(0);
    }
  });

  it('ends cleanly when it is asked to', async () => {
    expect(await controller.stop()).to.equal(0);
  });
});
