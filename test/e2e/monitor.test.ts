import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { request } from 'undici';
import { loggedEntriesOf } from '../../src/model/signing-record.ts';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import { controllerAccount } from '../support/account-kubeconfig.ts';
import { CosignSigner } from '../support/cosign-signer.ts';
import { isFullRun } from '../support/full-run.ts';
import { pushImage } from '../support/images.ts';
import type { PushedImage } from '../support/images.ts';
import { pipelineIdentity } from '../support/judges.ts';
import { listRecords } from '../support/logged-entries.ts';
import { LogFront } from '../support/log-front.ts';
import { MonitorProcess } from '../support/monitor-process.ts';
import { OwnRekor } from '../support/own-rekor.ts';
import { growRekor2 } from '../support/rekor2-entries.ts';
import { selfMadeSigner } from '../support/self-made-signer.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, runPath, waitUntilSigned } from '../support/task-runs.ts';
import { waitFor } from '../support/waiting.ts';

const kills = isFullRun ? 100 : 5;
const legitimateEntries = isFullRun ? 5000 : 40;
const restarts = isFullRun ? 20 : 3;
const entriesOfKey = isFullRun ? 2000 : 200;
const entriesToRead = isFullRun ? 10_000 : 500;
const recordsPath = (namespace: string): string =>
  `/apis/chainwright.dev/v1alpha1/namespaces/${namespace}/signingrecords`;

/** What a controller logs to, and how the monitor beside it follows that. */
interface LoggedCase {
  readonly entriesPerRun: number;
  readonly followed: Parameters<typeof MonitorProcess.start>[1];
  readonly settings: SettingsInput;
}

describe('the log monitor', () => {
  let scene: Scene;

  before(async () => {
    scene = await openScene();
  });
  after(async () => {
    await scene[Symbol.asyncDispose]();
  }).timeout(isFullRun ? 600_000 : 300_000);

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
    const { logEntries } = await waitUntilSigned(scene.api, { namespace, name: 'ours' }, 60_000);
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
  }).timeout(360_000);

  it('raises an alarm for what an intruder signs with Rekor v2', async () => {
    const { rekor2Url } = scene.stack;
    await using monitor = await MonitorProcess.start(scene.stack, { url: rekor2Url, apiVersion: '2' });
    const image = await newImage();
    await intruder().sign(`${image.repository}@${image.digest}`, 'rekor2');
    const alarm = await monitor.alarm(() => true);
    expect(alarm).to.include({
      alarm: 'UnexplainedEntry',
      entryKind: 'hashedrekord',
      identity: pipelineIdentity,
      issuer: scene.stack.issuer,
    });
    expect(alarm.logIndex).to.be.a('number');
    expect(alarm['payloadDigest']).to.match(/^sha256:[0-9a-f]{64}$/);
    expect(alarm['certificateSha256']).to.match(/^[0-9a-f]{64}$/);
    await monitor.look();
    expect(await monitor.alarms()).to.have.length(1);
  });

  const raisesNone = async ({ entriesPerRun, followed, settings }: LoggedCase): Promise<void> => {
    const namespace = await scene.namespace('monitor');
    await using monitor = await MonitorProcess.start(scene.stack, followed);
    const controller = await scene.controller([namespace], { settings });
    const runs = Math.ceil(legitimateEntries / entriesPerRun);
    const names = Array.from({ length: runs }, (_, at) => `run-${at}`);
    const waiting = [...names];
    const create = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        await createCompletedRun(scene.api, { namespace, name, results: imageResults(await newImage()) });
      }
    };
    const creating = Promise.all(Array.from({ length: 4 }, create));
    for (let kill = 0; kill < kills; kill += 1) {
      // The first one may meet a process that has nothing in work yet: those after it do not.
      if (kill === 1) {
        await waitFor(async () => (await listRecords(scene.api, namespace))[0], {
          what: 'the first run being begun',
          timeoutMs: 60_000,
        });
      }
      // The kills are spread over a process that begins to work and is at it.
      await sleep((2000 * (kill + 1)) / kills);
      await controller.kill();
      await controller.resume();
    }
    // Else the kills met nothing to interrupt.
    const begun = (await listRecords(scene.api, namespace)).length;
    expect(begun).to.be.above(0);
    await creating;
    for (const name of names) await waitUntilSigned(scene.api, { namespace, name }, 60_000 + runs * 1000);
    const records = await listRecords(scene.api, namespace);
    const entries = records.flatMap(({ spec }) => spec.artifacts.flatMap(loggedEntriesOf));
    expect(entries.length).to.be.at.least(entriesPerRun * runs);
    await monitor.read(Math.max(...entries.map(({ logIndex }) => logIndex)));
    await scene.api.delete(runPath(namespace));
    await scene.api.delete(recordsPath(namespace));
    await monitor.kill();
    await monitor.restart();
    await monitor.look();
    expect(await monitor.alarms()).to.deep.equal([]);
    console.log(
      `      ${entries.length} entries of ours, ${kills} kills while ${begun} runs were begun, no alarm`,
    );
  };
  const patienceMs = 240_000 + kills * 30_000 + legitimateEntries * 1500;

  it('raises none for what a controller signs that is killed between its steps, nor for records that were pruned', () =>
    raisesNone({ entriesPerRun: 4, followed: {}, settings: {} })).timeout(patienceMs);

  it('raises none for the same in a log of tiles', async () => {
    const { rekor2Url, tsaUrl } = scene.stack;
    await raisesNone({
      entriesPerRun: 3,
      followed: { url: rekor2Url, apiVersion: '2' },
      settings: { log: { url: rekor2Url, version: 'v2' }, timestampAuthorities: [tsaUrl] },
    });
  }).timeout(patienceMs);

  it('raises none on either of two logs for what a killed controller signs into both', async () => {
    const { rekorUrl, rekor2Url, tsaUrl } = scene.stack;
    const namespace = await scene.namespace('monitor');
    await using first = await MonitorProcess.start(scene.stack);
    await using second = await MonitorProcess.start(scene.stack, { url: rekor2Url, apiVersion: '2' });
    const controller = await scene.controller([namespace], {
      settings: {
        log: { url: rekorUrl, further: [{ url: rekor2Url, version: 'v2' }] },
        timestampAuthorities: [tsaUrl],
      },
    });
    for (const name of ['killed', 'after']) {
      await createCompletedRun(scene.api, { namespace, name, results: imageResults(await newImage()) });
      await sleep(300);
      await controller.kill();
      await controller.resume();
    }
    for (const name of ['killed', 'after']) await waitUntilSigned(scene.api, { namespace, name }, 120_000);
    const records = await listRecords(scene.api, namespace);
    const entries = records.flatMap(({ spec }) => spec.artifacts.flatMap(loggedEntriesOf));
    for (const [monitor, url] of [
      [first, rekorUrl],
      [second, rekor2Url],
    ] as const) {
      const indexes = entries.filter(({ log }) => log === url).map(({ logIndex }) => logIndex);
      expect(indexes.length).to.be.at.least(6);
      await monitor.read(Math.max(...indexes));
      expect(await monitor.alarms()).to.deep.equal([]);
      expect(await monitor.metrics()).to.match(
        /^chainwright_monitor_entries_total\{.*outcome="explained"\} [1-9]\d*$/m,
      );
    }
  }).timeout(360_000);

  it('tells a certificate that somebody made himself in our name from a real one', async () => {
    await using rekor = await OwnRekor.start(scene.stack);
    await rekor.grow(1);
    await using monitor = await MonitorProcess.start(scene.stack, { url: rekor.url });
    await rekor.append(await selfMadeSigner(pipelineIdentity, scene.stack.issuer));
    await monitor.read(1);
    expect(await monitor.alarms()).to.deep.equal([]);
    expect(await monitor.metrics()).to.match(/^chainwright_monitor_entries_total\{.*outcome="forged"\} 1$/m);
    expect(await readFile(monitor.logFile, 'utf8')).to.include('that our authority did not issue');
  });

  it('misses no index when it is killed at random, and tells each entry of a key of ours', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-key-'));
    const file = join(folder, 'ours.pub');
    await writeFile(file, publicKey.export({ format: 'pem', type: 'spki' }));
    await using monitor = await MonitorProcess.start(scene.stack, {
      url: scene.stack.rekor2Url,
      apiVersion: '2',
      more: ['--key', file],
    });
    const growing = growRekor2(scene.stack.rekor2Url, entriesOfKey, { publicKey, privateKey });
    for (let restart = 0; restart < restarts; restart += 1) {
      await sleep(Math.random() * 2000);
      await monitor.kill();
      await monitor.restart();
    }
    const indexes = await growing;
    await monitor.read(Math.max(...indexes));
    const told = await waitFor(
      async () => {
        const found = new Set((await monitor.alarms()).map(({ logIndex }) => logIndex));
        return indexes.every((index) => found.has(index)) ? found : undefined;
      },
      { what: 'an alarm for each entry', timeoutMs: 120_000 },
    );
    expect(told.size).to.equal(indexes.length);
    await rm(folder, { recursive: true });
  }).timeout(360_000 + restarts * 30_000);

  it('says how fast it reads a log of tiles from its beginning', async () => {
    await growRekor2(scene.stack.rekor2Url, entriesToRead);
    const { entries, seconds } = await MonitorProcess.once(scene.stack, {
      url: scene.stack.rekor2Url,
      apiVersion: '2',
    });
    expect(entries).to.be.at.least(entriesToRead);
    const perSecond = Math.round(entries / seconds);
    console.log(`      ${entries} entries in ${seconds.toFixed(2)} s: ${perSecond} a second`);
  }).timeout(360_000);

  describe('with a log that does not show what it signed', () => {
    let front: LogFront;
    let monitor: MonitorProcess;

    beforeEach(async () => {
      front = await LogFront.open(scene.stack.rekorUrl);
      monitor = await MonitorProcess.start(scene.stack, { url: front.url });
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
    });

    it('raises LogForked when the log cannot prove that it was only appended to', async () => {
      front.edit = (path, body) => (path.includes('/log/proof') ? withOtherHash(body) : body);
      await grow();
      expect(await monitor.alarm(({ alarm }) => alarm === 'LogForked')).to.include({
        code: 'ERR_LOG_CONSISTENCY',
      });
    });

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
    });

    it('raises EntryMissing when the log keeps an entry back', async () => {
      front.edit = (path, body) => (path.endsWith('/retrieve') ? '[]' : body);
      await grow();
      expect(await monitor.alarm(({ alarm }) => alarm === 'EntryMissing')).to.include({
        code: 'ERR_LOG_ENTRY_MISSING',
      });
    });
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
