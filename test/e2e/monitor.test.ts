import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { request } from 'undici';
import { controllerAccount } from '../support/account-kubeconfig.ts';
import { CosignSigner } from '../support/cosign-signer.ts';
import { isFullRun } from '../support/full-run.ts';
import { pushImage } from '../support/images.ts';
import type { PushedImage } from '../support/images.ts';
import { pipelineIdentity } from '../support/judges.ts';
import { findLoggedFacts, listRecords } from '../support/logged-entries.ts';
import { LogFront } from '../support/log-front.ts';
import { MonitorProcess } from '../support/monitor-process.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, runPath, waitUntilSigned } from '../support/task-runs.ts';

const kills = isFullRun ? 100 : 5;

describe('the log monitor', () => {
  let scene: Scene;

  before(async () => {
    scene = await openScene();
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const newImage = (): Promise<PushedImage> => pushImage(scene.registry, `${scene.stack.registry}/monitor`);
  const intruder = (): CosignSigner => new CosignSigner({ ...scene, account: controllerAccount });
  /** Digest of the payload under the signature that cosign attached by tag. */
  const signedPayloadOf = async ({ repository, digest }: PushedImage): Promise<string> => {
    const manifest = await scene.registry.findManifest(repository, `${digest.replace(':', '-')}.sig`);
    const { layers } = JSON.parse(String(manifest)) as { layers: { digest: string }[] };
    return layers[0]?.digest ?? '';
  };

  it('raises an alarm for what an intruder signs with our identity, and none for what our controller signs', async () => {
    const namespace = await scene.namespace('monitor');
    await using monitor = await MonitorProcess.start(scene.stack);
    await scene.controller([namespace]);
    const [ours, theirs] = [await newImage(), await newImage()];
    await createCompletedRun(scene.api, { namespace, name: 'ours', results: imageResults(ours) });
    const { logEntries } = await waitUntilSigned(scene.api, { namespace, name: 'ours' });
    await scene.api.delete(runPath(namespace, 'ours'));
    await intruder().sign(`${theirs.repository}@${theirs.digest}`, 'tag');

    const payloadDigest = await signedPayloadOf(theirs);
    const alarm = await monitor.alarm((found) => found['payloadDigest'] === payloadDigest);
    expect(alarm).to.include({
      alarm: 'UnexplainedEntry',
      identity: pipelineIdentity,
      issuer: scene.stack.issuer,
    });
    expect(alarm.logIndex).to.be.a('number');
    const logged = await scene.judges.getEntry(alarm.logIndex ?? -1);
    expect(Date.parse(String(alarm['loggedAt']))).to.equal(logged.IntegratedTime * 1000);
    expect(alarm['certificateSha256']).to.match(/^[0-9a-f]{64}$/);

    const indexes = logEntries.map(({ logIndex }) => logIndex);
    expect(indexes).to.not.be.empty;
    await monitor.read(Math.max(...indexes));
    const blamed = (await monitor.alarms()).map(({ logIndex }) => logIndex);
    expect(indexes.filter((index) => blamed.includes(index))).to.deep.equal([]);
  }).timeout(180_000);

  it('raises none for what a controller signs that is killed between its steps', async () => {
    const namespace = await scene.namespace('monitor');
    await using monitor = await MonitorProcess.start(scene.stack);
    const controller = await scene.controller([namespace]);
    const images = new Map<string, PushedImage>();
    for (let kill = 0; kill < kills; kill += 1) {
      const image = await newImage();
      images.set(`run-${kill}`, image);
      await createCompletedRun(scene.api, { namespace, name: `run-${kill}`, results: imageResults(image) });
      // Signing takes a few tenths of a second: the kills are spread over it.
      await sleep((500 * kill) / kills);
      await controller.kill();
      await controller.restart();
    }
    for (const name of images.keys()) await waitUntilSigned(scene.api, { namespace, name }, 60_000);
    const records = await listRecords(scene.api, namespace);
    const artifacts = records.flatMap(({ spec }) => spec.artifacts);
    const logged = new Set<number>();
    for (const { digest } of images.values()) {
      const facts = await findLoggedFacts(scene.judges, digest, artifacts);
      for (const { logIndex } of facts) logged.add(logIndex);
    }
    expect(logged.size).to.be.at.least(3 * kills);
    await monitor.read(Math.max(...logged));
    await sleep(3000);
    const blamed = (await monitor.alarms()).filter(({ logIndex = -1 }) => logged.has(logIndex));
    expect(blamed).to.deep.equal([]);
  }).timeout(60_000 + kills * 20_000);

  describe('with a log that does not show what it signed', () => {
    let front: LogFront;
    let monitor: MonitorProcess;

    beforeEach(async () => {
      front = await LogFront.open(scene.stack.rekorUrl);
      monitor = await MonitorProcess.start(scene.stack, front.url);
    });
    afterEach(async () => {
      await monitor[Symbol.asyncDispose]();
      await front[Symbol.asyncDispose]();
    });

    /** An entry by a key that nobody watches for. */
    const grow = async (): Promise<void> => {
      const image = await newImage();
      await intruder().sign(`${image.repository}@${image.digest}`, 'tag');
    };

    it('raises LogForked when an entry is another than the log signed', async () => {
      front.edit = (path, body) => (path.endsWith('/retrieve') ? withOtherBody(body) : body);
      await grow();
      expect(await monitor.alarm(({ alarm }) => alarm === 'LogForked')).to.include({
        code: 'ERR_LOG_CONSISTENCY',
      });
    }).timeout(120_000);

    it('raises LogForked when the log cannot prove that it was only appended to', async () => {
      front.edit = (path, body) => (path.includes('/log/proof') ? withOtherHash(body) : body);
      await grow();
      expect(await monitor.alarm(({ alarm }) => alarm === 'LogForked')).to.include({
        code: 'ERR_LOG_CONSISTENCY',
      });
    }).timeout(120_000);

    it('raises LogShrank when the log shows an earlier state, and no proof of the later one', async () => {
      const earlier = await (await request(`${scene.stack.rekorUrl}/api/v1/log`)).body.text();
      await grow();
      const { treeSize } = JSON.parse(earlier) as { treeSize: number };
      await monitor.read(treeSize);
      front.edit = (path, body) => {
        if (path.endsWith('/api/v1/log')) return earlier;
        return path.includes('/log/proof') ? '{"hashes":[]}' : body;
      };
      expect(await monitor.alarm(({ alarm }) => alarm === 'LogShrank')).to.include({
        code: 'ERR_MONITOR_SHRANK',
      });
    }).timeout(120_000);

    it('raises EntryMissing when the log keeps an entry back', async () => {
      front.edit = (path, body) => (path.endsWith('/retrieve') ? '[]' : body);
      await grow();
      expect(await monitor.alarm(({ alarm }) => alarm === 'EntryMissing')).to.include({
        code: 'ERR_LOG_ENTRY_MISSING',
      });
    }).timeout(120_000);
  });
});

interface Retrieved {
  body: string;
}

function withOtherBody(text: string): string {
  const list = JSON.parse(text) as Record<string, Retrieved>[];
  for (const entry of Object.values(list[0] ?? {})) {
    entry.body = Buffer.from('{"kind":"dsse","apiVersion":"0.0.1","spec":{}}').toString('base64');
  }
  return JSON.stringify(list);
}

function withOtherHash(text: string): string {
  const proof = JSON.parse(text) as { hashes?: string[] };
  return JSON.stringify({ ...proof, hashes: proof.hashes?.with(0, 'ab'.repeat(32)) });
}
