import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { killServer, startServer, stopServer } from '../../hack/stack/stack.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { completeEvidence, listEvidence, summarise } from '../support/attached-evidence.ts';
import { isFullRun } from '../support/full-run.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import {
  completeRun,
  createCompletedRun,
  imageResults,
  startRun,
  waitForMarks,
  waitUntilSigned,
} from '../support/task-runs.ts';

const outageMs = isFullRun ? 60_000 : 6000;
const runsPerOutage = 4;
// The long outage is judged with the pauses that users have.
const settings: SettingsInput = isFullRun ? {} : { controller: { retry: { base: '500ms', max: '4s' } } };
const recoveryMs = isFullRun ? 180_000 : 120_000;
const testMs = outageMs + recoveryMs + 180_000;

describe(`a server that is away for ${outageMs / 1000} s`, () => {
  let scene: Scene;
  let namespace: string;

  beforeEach(async () => {
    scene = await openScene();
    namespace = await scene.namespace('faults');
  });

  afterEach(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const pushImages = async (): Promise<ReadonlyMap<string, PushedImage>> => {
    const images = new Map<string, PushedImage>();
    for (let at = 0; at < runsPerOutage; at += 1) {
      images.set(`run-${at}`, await pushImage(scene.registry, `${scene.stack.registry}/faults`));
    }
    return images;
  };
  const expectSigned = async (images: ReadonlyMap<string, PushedImage>): Promise<void> => {
    for (const [name, image] of images) {
      const marks = await waitUntilSigned(scene.api, { namespace, name }, recoveryMs);
      expect(marks.error, name).to.be.undefined;
      const evidence = await listEvidence(scene.registry, image, image.digest);
      expect(summarise(evidence), name).to.deep.equal(completeEvidence.both);
    }
  };
  const expectWaiting = async (images: ReadonlyMap<string, PushedImage>): Promise<void> => {
    for (const name of images.keys()) {
      // The last one completed only just now: its first try may not have failed yet.
      const what = { what: 'saying why it waits' };
      const { signed, error } = await waitForMarks(
        scene.api,
        { namespace, name },
        (marks) => marks.error !== undefined || marks.signed !== undefined,
        what,
      );
      expect(signed, name).to.be.undefined;
      expect(error, name).to.match(/^ERR_\w+: /);
    }
  };
  // Runs complete all through the outage.
  const completeDuring = async (images: ReadonlyMap<string, PushedImage>): Promise<void> => {
    for (const [name, image] of images) {
      await createCompletedRun(scene.api, { namespace, name, results: imageResults(image) });
      await sleep(outageMs / (runsPerOutage + 1));
    }
    await sleep(outageMs / (runsPerOutage + 1));
  };

  for (const server of ['rekor', 'harbor'] as const) {
    it(`delays the signing of runs that complete meanwhile, and nothing else: ${server}`, async () => {
      await scene.controller([namespace], { settings });
      const images = await pushImages();
      await stopServer(server);
      try {
        await completeDuring(images);
        await expectWaiting(images);
      } finally {
        await startServer(server);
      }
      await expectSigned(images);
    }).timeout(testMs);
  }

  it('delays the signing of runs that complete meanwhile, and nothing else: fulcio', async () => {
    const images = await pushImages();
    await stopServer('fulcio');
    try {
      // A controller that has no certificate yet, since one that has goes on signing.
      await scene.controller([namespace], { settings });
      await completeDuring(images);
      await expectWaiting(images);
    } finally {
      await startServer('fulcio');
    }
    await expectSigned(images);
  }).timeout(testMs);

  it('is noticed when it is the API server, killed in mid-watch, and no run is missed', async () => {
    await scene.controller([namespace], { settings });
    const images = await pushImages();
    const [first, second, third, fourth] = [...images.keys()].map((name) => ({
      namespace,
      name,
      results: imageResults(images.get(name)!),
    }));
    await createCompletedRun(scene.api, first!);
    await startRun(scene.api, second!);
    await killServer('kube-apiserver');
    try {
      await sleep(outageMs);
    } finally {
      await startServer('kube-apiserver');
    }
    await completeRun(scene.api, second!);
    await createCompletedRun(scene.api, third!);
    await sleep(1000);
    await createCompletedRun(scene.api, fourth!);
    await expectSigned(images);
  }).timeout(testMs);
});
