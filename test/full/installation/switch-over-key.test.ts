import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { kubectl } from '../../../hack/stack/stack.ts';
import { BuildHistory } from '../../support/build-history.ts';
import { ChainsProcess } from '../../support/chains-process.ts';
import { installChains, removeChains, writeChainsConfig } from '../../support/chains-release.ts';
import { settingsPath } from '../../support/live-settings.ts';
import { listRecords } from '../../support/logged-entries.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';
import { countLogEntries } from '../../support/signed-run.ts';
import type { SeenRun } from '../../support/signed-run.ts';

const password = 'between the towers';
const report = [
  { name: 'REPORT_ARTIFACT_URI', type: 'string', value: 'https://reports.golems.internal/report.pdf' },
  { name: 'REPORT_ARTIFACT_DIGEST', type: 'string', value: `sha256:${'f'.repeat(64)}` },
] as const;

describe('runs that Tekton Chains signed as its documentation begins: a key, no log, provenance on the run', () => {
  let scene: Scene;
  let folder: string;
  let builds: BuildHistory;
  let entriesBefore: number;
  const signed = ['image', 'two-images', 'file'];
  const asChainsLeft = new Map<string, SeenRun>();

  before(async () => {
    scene = await openScene();
    await scene.api.delete(settingsPath);
    folder = await mkdtemp(join(tmpdir(), 'chainwright-switch-'));
    await installChains();
    const signingSecrets = await makeKey();
    await writeChainsConfig(scene.api, {
      'artifacts.taskrun.format': 'slsa/v1',
      'artifacts.taskrun.storage': 'tekton',
      'transparency.enabled': 'false',
    });
    builds = new BuildHistory(scene, await scene.namespace('switched'));
    await using chains = await ChainsProcess.startInstalled({ stack: scene.stack, signingSecrets });
    await builds.build('image');
    await builds.build('two-images', 2);
    await builds.build('file', 0, report);
    await builds.waitUntilMarked(signed);
    await builds.start('running');
    await builds.waitUntilHeld(['running']);
    await chains.stop();
    for (const name of signed) asChainsLeft.set(name, await builds.see(name));
    entriesBefore = await countLogEntries(scene.stack);
    await scene.controller([], { source: 'cluster' });
  }).timeout(240_000);

  after(async () => {
    await scene[Symbol.asyncDispose]();
    await removeChains();
    await rm(folder, { recursive: true });
  }).timeout(60_000);

  /** As Chains' documentation says: `cosign generate-key-pair k8s://tekton-chains/signing-secrets`. */
  async function makeKey(): Promise<Readonly<Record<string, string>>> {
    const made = await scene.judges.cosign(
      ['generate-key-pair', '--output-key-prefix', join(folder, 'cosign')],
      { COSIGN_PASSWORD: password },
    );
    expect(made.code, made.stderr).to.equal(0);
    await writeFile(join(folder, 'cosign.password'), password);
    const names = ['cosign.key', 'cosign.pub', 'cosign.password'];
    const files = names.map((name) => `--from-file=${join(folder, name)}`);
    await kubectl(['-n', 'tekton-chains', 'delete', 'secret', 'signing-secrets', '--ignore-not-found']);
    await kubectl(['-n', 'tekton-chains', 'create', 'secret', 'generic', 'signing-secrets', ...files]);
    await kubectl([
      ...['-n', 'tekton-chains', 'label', 'secret', 'signing-secrets'],
      'app.kubernetes.io/part-of=tekton-chains',
    ]);
    const contents = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    return Object.fromEntries(names.map((name, at) => [name, contents[at] ?? '']));
  }

  it('are left alone', async () => {
    await builds.waitUntilHeld(signed, false);
    const records = await listRecords(scene.api, builds.namespace);
    for (const name of signed) {
      const seen = asChainsLeft.get(name);
      expect(seen?.evidence, name).to.have.length(builds.imagesOf(name).length);
      expect(await builds.see(name), name).to.deep.equal(seen);
      const record = records.find(({ spec }) => spec.run.name === name);
      expect(record?.spec, name).to.deep.include({ phase: 'Complete', artifacts: [] });
    }
  }).timeout(60_000);

  it('go on under the same key, by the same settings, without the log', async () => {
    await builds.complete('running');
    await builds.waitUntilMarked(['running']);
    const { annotations = {}, uid = '' } = (await builds.find('running'))?.metadata ?? {};
    expect(annotations).to.include.keys(`chains.tekton.dev/payload-taskrun-${uid}`);
    for (const name of ['image', 'running']) {
      for (const { ref } of builds.imagesOf(name)) {
        const key = ['--key', join(folder, 'cosign.pub'), '--insecure-ignore-tlog=true'];
        const { code, stderr } = await scene.judges.cosign(['verify', ...key, ref]);
        expect(code, `${name}: ${stderr}`).to.equal(0);
      }
    }
    expect(await countLogEntries(scene.stack)).to.equal(entriesBefore);
  }).timeout(60_000);
});
