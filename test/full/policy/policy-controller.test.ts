import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { builtPath, ensureBuilt } from '../../../hack/stack/build/binaries.ts';
import { run } from '../../../hack/stack/process/run.ts';
import { componentNamed } from '../../../hack/stack/versions.ts';
import { ChainsProcess } from '../../support/chains-process.ts';
import type { PushedImage } from '../../support/images.ts';
import { pushImage } from '../../support/images.ts';
import type { PolicyDocument } from '../../support/runbook-policy.ts';
import { runbookPolicyFor } from '../../support/runbook-policy.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';
import { createCompletedRun, imageResults, waitForMarks, waitUntilSigned } from '../../support/task-runs.ts';
import { trustRootObject } from '../../support/trust-root.ts';
import { checksOf, judgeByRunbook } from '../../integration/policy/policy-bench.ts';

const tester = componentNamed('policy-tester');

describe('policy-controller and Tekton Chains beside us', () => {
  let scene: Scene;
  let folder: string;
  let namespace: string;

  before(async () => {
    await ensureBuilt([tester]);
    scene = await openScene();
    folder = await mkdtemp(join(tmpdir(), 'chainwright-tester-'));
    namespace = await scene.namespace('peers');
    await writeFile(join(folder, 'trust.yaml'), JSON.stringify(await trustRootObject(scene.stack, 'stack')));
  }).timeout(600_000);

  after(async () => {
    await rm(folder, { recursive: true });
    await scene[Symbol.asyncDispose]();
  });

  const push = (): Promise<PushedImage> => pushImage(scene.registry, `${scene.stack.registry}/peers`);
  /** The end of the real policy-tester: its errors, none if the image is admitted. */
  const askTester = async (ref: string, change: (policy: PolicyDocument) => void): Promise<string> => {
    const policy = await runbookPolicyFor('harbor.golems.internal/golem-trust/**', 'runbook', 'stack');
    change(policy);
    const file = join(folder, 'policy.yaml');
    await writeFile(file, JSON.stringify(policy));
    const { SSL_CERT_FILE = '', DOCKER_CONFIG = '' } = scene.stack.env;
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder, SSL_CERT_FILE, DOCKER_CONFIG };
    const args = [
      '--policy',
      file,
      '--trustroot',
      join(folder, 'trust.yaml'),
      '--image',
      ref,
      '--log-level',
      'error',
    ];
    return run(builtPath(tester), args, { env, cwd: folder }).then(
      () => '',
      (error: unknown) => String(error),
    );
  };
  const asWritten = (): void => undefined;
  const signatureOnly = ({ spec }: PolicyDocument): void => {
    spec.authorities = spec.authorities.map((authority) => ({ ...authority, attestations: [] }));
  };
  const withoutSbom = ({ spec }: PolicyDocument): void => {
    spec.authorities = spec.authorities.map(({ attestations, ...authority }) => ({
      ...authority,
      attestations: attestations.filter(({ name }) => name !== 'sbom-cyclonedx'),
    }));
  };

  it('policy-tester admits what our controller attested, by signature and by attestations', async () => {
    await scene.controller([namespace]);
    const image = await push();
    await createCompletedRun(scene.api, { namespace, name: 'ours', results: imageResults(image) });
    await waitUntilSigned(scene.api, { namespace, name: 'ours' });
    expect(await askTester(image.ref, asWritten)).to.equal('');
    expect(await askTester(image.ref, signatureOnly)).to.equal('');
  }).timeout(120_000);

  it('policy-tester denies what nobody attested, so that the rest proves something', async () => {
    const image = await push();
    expect(await askTester(image.ref, asWritten)).to.include('no matching attestations');
  }).timeout(60_000);

  it('our policies verify the provenance of the real Tekton Chains, and say what its image signature and evidence lack', async () => {
    const other = await scene.namespace('peers');
    const image = await push();
    await using _chains = await ChainsProcess.start({ stack: scene.stack, api: scene.api });
    const run = { namespace: other, name: 'by-chains' };
    await createCompletedRun(scene.api, { ...run, results: imageResults(image) });
    await waitForMarks(scene.api, run, ({ signed }) => signed === 'true', { what: 'being signed by Chains' });
    const permissively = await judgeByRunbook(image.ref, (policy) => {
      withoutSbom(policy);
      policy.metadata.annotations = { 'policy.chainwright.dev/evaluation': 'permissive' };
    });
    expect(checksOf(permissively), permissively.message).to.deep.equal(['slsa-provenance passed']);
    expect(await askTester(image.ref, withoutSbom)).to.equal('');
    // Its image signature carries no log entry: whoever wants one offline must let us sign.
    const strictly = await judgeByRunbook(image.ref);
    expect(checksOf(strictly)).to.deep.equal([
      'signature invalid',
      'slsa-provenance passed',
      'sbom-cyclonedx missing',
    ]);
    expect(strictly.message).to.include('neither a log entry nor a timestamp');
    const searching = await judgeByRunbook(image.ref, ({ spec }) => {
      for (const authority of spec.authorities) authority.ctlog = { url: scene.stack.rekorUrl };
    });
    expect(checksOf(searching), searching.message).to.deep.equal([
      'signature passed',
      'slsa-provenance passed',
      'sbom-cyclonedx missing',
    ]);
  }).timeout(180_000);
});
