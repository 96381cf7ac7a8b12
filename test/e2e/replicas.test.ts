import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { completeEvidence, listEvidence, summarise } from '../support/attached-evidence.ts';
import { isFullRun } from '../support/full-run.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import { isExplained, listRecords, untilLogged } from '../support/logged-entries.ts';
import { ReplicaSet } from '../support/replica-set.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../support/task-runs.ts';

const runs = isFullRun ? 2000 : 60;
const kills = isFullRun ? 10 : 2;
// So many, drawn at random, are looked at beside their images and in the log, which takes longer than signing them.
const looked = isFullRun ? 300 : 30;
const lookedAtOnce = 8;
// Divides the number of runs.
const completedAtOnce = 4;
// Of what replicas that die leave, at most so many runs are in work in each.
const concurrency = 16;

describe(`three replicas that share ${runs} runs while ${kills} of them are killed`, () => {
  let scene: Scene;
  let namespace: string;
  let replicas: ReplicaSet;
  const images = new Map<string, PushedImage>();
  const takeOverMs: number[] = [];

  before(async () => {
    scene = await openScene();
    namespace = await scene.namespace('replicas');
    replicas = new ReplicaSet(scene, namespace);
    for (const name of ['r1', 'r2', 'r3']) await replicas.start(name);
  }).timeout(420_000);

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  async function complete(number: number): Promise<void> {
    const name = `run-${number}`;
    const image = await pushImage(scene.registry, `${scene.stack.registry}/replicas`);
    images.set(name, image);
    await createCompletedRun(scene.api, { namespace, name, results: imageResults(image) });
  }

  it('spreads the shares evenly', async () => {
    const ms = await replicas.waitUntilSpread();
    const spread = [...(await replicas.spread())].map(([name, count]) => `${name}: ${count}`);
    console.log(`      spread ${(ms / 1000).toFixed(1)} s after all were ready: ${spread.join(', ')}`);
  });

  it('has a killed replica followed within seconds, whatever it was doing', async () => {
    for (let kill = 0; kill <= kills; kill += 1) {
      // The kills fall evenly, at whole fours.
      const end = completedAtOnce * Math.round((runs * (kill + 1)) / (kills + 1) / completedAtOnce);
      while (images.size < end) {
        const first = images.size;
        await Promise.all(Array.from({ length: completedAtOnce }, (_, more) => complete(first + more)));
      }
      if (kill === kills) break;
      await sleep(Math.random() * 900);
      const victim = replicas.names[Math.floor(Math.random() * replicas.names.length)] ?? '';
      await replicas.kill(victim);
      takeOverMs.push(await replicas.waitUntilFollowed(victim));
      await replicas.start(`r${kill + 4}`);
    }
    const seconds = takeOverMs.map((ms) => (ms / 1000).toFixed(1));
    console.log(`      taken over after ${seconds.join(' s, ')} s`);
    // Ten seconds until its Leases run out, two between looks, and what a machine under load adds.
    expect(Math.max(...takeOverMs)).to.be.below(25_000);
  }).timeout(300_000 + runs * 2000 + kills * 240_000);

  it('signs every run in the end', async () => {
    for (const name of images.keys()) await waitUntilSigned(scene.api, { namespace, name }, 120_000);
    const signed = [...(await replicas.signed())].map(([name, count]) => `${name}: ${count}`);
    console.log(`      signed by those alive at the end: ${signed.join(', ')}`);
  }).timeout(300_000 + runs * 1000);

  it('has signed each once: one of each kind beside each image, no entry but what records explain', async () => {
    const records = new Map((await listRecords(scene.api, namespace)).map((one) => [one.spec.run.name, one]));
    expect(records.size).to.equal(runs);
    const names = [...images.keys()].toSorted(() => Math.random() - 0.5).slice(0, looked);
    let [entries, more] = [0, 0];
    const look = async (name: string): Promise<void> => {
      const image = images.get(name);
      const record = records.get(name);
      if (image === undefined || record === undefined) throw new Error(`${name} has no image or record`);
      expect(record.spec.phase, name).to.equal('Complete');
      const evidence = await listEvidence(scene.registry, image, image.digest);
      expect(summarise(evidence), name).to.deep.equal(completeEvidence.both);
      const { artifacts } = record.spec;
      const facts = await untilLogged(scene.judges, { digest: image.digest, artifacts, atLeast: 4 });
      expect(
        facts.filter((fact) => !isExplained(fact, artifacts)),
        name,
      ).to.be.empty;
      entries += facts.length;
      if (facts.length > 4) more += 1;
    };
    for (let at = 0; at < names.length; at += lookedAtOnce)
      await Promise.all(names.slice(at, at + lookedAtOnce).map(look));
    console.log(
      `      ${names.length} runs looked at: ${entries} log entries, ${more} runs with more than four`,
    );
    // A replica that dies between an entry and the note of it leaves one that is made again: no others have more.
    expect(more).to.be.at.most(kills * concurrency);
  }).timeout(300_000 + looked * 12_000);

  it('hands everything on when replicas end in order', async () => {
    const [last = '', ...others] = replicas.names;
    for (const name of others) {
      const [startedMs, stopped] = [performance.now(), replicas.stop(name)];
      await replicas.waitUntilSpread();
      // Sooner than its Leases could have run out.
      const handedOnMs = performance.now() - startedMs;
      console.log(`      ${name} handed on within ${(handedOnMs / 1000).toFixed(1)} s`);
      expect(handedOnMs).to.be.below(10_000);
      await stopped;
    }
    await complete(runs);
    await waitUntilSigned(scene.api, { namespace, name: `run-${runs}` }, 60_000);
    expect([...(await replicas.spread())]).to.deep.equal([[last, 8]]);
  });
});
