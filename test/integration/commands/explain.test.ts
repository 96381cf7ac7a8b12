import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { ExplainedPiece, ImageExplanation } from '../../../src/commands/explain/explanation-report.ts';
import { Browser } from '../../support/browser.ts';
import { EvidenceMaker } from '../../support/evidence-maker.ts';
import { forgeBundle } from '../../support/forgery.ts';
import { pushImage } from '../../support/images.ts';
import { pipelineIdentity } from '../../support/judges.ts';
import { readRunbookPolicy } from '../../support/runbook-policy.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';
import { runCli } from './cli.ts';
import type { CliOutcome } from './cli.ts';

const attack = '<script>console.log("owned")</script><img src=x onerror=alert(1)>';
const bom = {
  ...{ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 },
  components: [
    { type: 'library', name: 'a', purl: 'pkg:deb/debian/a@1', licenses: [{ license: { id: 'MIT' } }] },
    { type: 'library', name: 'b', purl: 'pkg:npm/b@1', licenses: [{ expression: attack }] },
    { type: 'library', name: 'c', purl: 'pkg:npm/c@1' },
  ],
};

describe('chainwright explain', () => {
  const label = `explain-${randomBytes(4).toString('hex')}`;
  let scene: Scene;
  let folder = '';
  let image = '';
  let bare = '';

  const explain = (ref: string, ...args: string[]): Promise<CliOutcome> => {
    const { trustedRoot, ca, env } = scene.stack;
    return runCli(['explain', ref, '--trusted-root', trustedRoot, ...args], {
      cwd: folder,
      env: { SSL_CERT_FILE: ca, DOCKER_CONFIG: env['DOCKER_CONFIG'] ?? '' },
    });
  };
  const explained = async (...args: string[]): Promise<ImageExplanation> => {
    const { stdout, stderr } = await explain(image, ...args, '--output', 'json');
    expect(stdout, stderr).to.not.equal('');
    return JSON.parse(stdout) as ImageExplanation;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-explain-'));
    scene = await openScene();
    const { stack, judges, registry } = scene;
    const namespace = await scene.namespace('explain');
    const repository = `${stack.registry}/${label}`;
    const pushed = await pushImage(registry, repository);
    image = pushed.ref;
    bare = (await pushImage(registry, repository)).ref;
    const maker = new EvidenceMaker(stack, judges);
    await maker.make(image, { kinds: ['signature'], layout: 'referrer' });
    await forgeBundle(registry, pushed);
    await maker.make(image, { kinds: ['signature', 'provenance'] });
    await maker.make(image, { kinds: ['signature'], layout: 'referrer', log: 'rekor2' });
    const stranger = { namespace, name: 'default' };
    await maker.make(image, { kinds: ['provenance'], account: stranger, builderId: attack });
    await maker.make(image, { kinds: ['sbom'], sbom: bom });
    const policy = await readRunbookPolicy();
    const spec = { ...policy.spec, images: [{ glob: `${repository}**` }] };
    await writeFile(join(folder, 'policy.json'), JSON.stringify({ ...policy, spec }));
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('tells of run, signer, log entries and SBOM, and whom the policy takes', async () => {
    const { evidence, builds, sboms, judgement, pinned } = await explained('--policy', 'policy.json');
    expect(pinned).to.equal(image);
    expect(judgement?.outcome).to.equal('admitted');
    const standings = evidence.map(({ standing, layout, kind = '' }) =>
      `${standing} ${layout} ${kind}`.trim(),
    );
    expect(standings.sort()).to.deep.equal([
      'accepted referrer signature',
      'accepted tag attestation',
      'accepted tag attestation',
      'accepted tag signature',
      'rejected referrer',
      'verified tag attestation',
    ]);
    expect(builds.map(({ standing, value }) => [standing, value.builderId])).to.deep.equal([
      ['accepted', 'https://tekton.golems.internal/chains/v2'],
      ['verified', attack],
    ]);
    expect(builds[0]?.signer).to.include(pipelineIdentity);
    expect(sboms.map(({ value }) => value)[0]).to.deep.include({
      ...{ format: 'CycloneDX 1.6', components: 3, withoutLicence: 1 },
      types: [
        ['npm', 2],
        ['deb', 1],
      ],
    });
    const rejected = evidence.find(({ standing }) => standing === 'rejected');
    expect(rejected?.reason?.code).to.match(/^ERR_/);
    expect(rejected, 'nothing of what it says').to.not.have.any.keys('signer', 'kind', 'predicateType');
  });

  it('without a policy nothing is called accepted', async () => {
    const { evidence, judgement } = await explained();
    expect(judgement).to.equal(undefined);
    expect(new Set(evidence.map(({ standing }) => standing))).to.deep.equal(
      new Set(['verified', 'rejected']),
    );
  });

  it('--online: both kinds of log are asked, and prove what they say', async () => {
    const { evidence } = await explained('--policy', 'policy.json', '--online');
    const entries = evidence.flatMap((piece: ExplainedPiece) => piece.entries);
    expect(entries).to.have.length(5);
    for (const { online, logIndex } of entries) {
      expect(online?.isIncluded, `${logIndex}: ${online?.message}`).to.equal(true);
    }
    const proven = evidence.filter(
      ({ layout, standing }) => layout === 'referrer' && standing === 'accepted',
    );
    expect(proven[0]?.entries[0]?.offline).to.equal('proven');
  });

  it('denied: exit code 1, with the checks and what to do', async () => {
    const { code, stdout } = await explain(bare, '--policy', 'policy.json');
    expect(code).to.equal(1);
    expect(stdout).to.include('none that verifies').and.include('signature: missing').and.include('next:');
  });

  it('the page for an auditor, in a real browser: read, quiet, and what is hostile is text', async () => {
    const file = join(folder, 'image.html');
    const { stdout } = await explain(image, '--policy', 'policy.json', '--output', 'html');
    await writeFile(file, stdout);
    await using browser = await Browser.open();
    const { page, requests, noises } = await browser.show(file);
    expect(await page.title()).to.equal(`What is known of ${image.slice(0, image.indexOf('@') + 20)}…`);
    expect(await page.locator('header').innerText()).to.include(image);
    expect(await page.locator('#verdict h2').innerText()).to.equal('Admitted');
    const build = await page.locator('#build').innerText();
    expect(build).to.include('https://tekton.golems.internal/chains/v2').and.include(attack);
    expect(build).to.include('signer not taken by a policy');
    expect(await page.locator('#evidence tbody tr').count()).to.equal(5);
    expect(await page.locator('#rejected tbody tr').count()).to.equal(1);
    expect(await page.locator('#sbom').innerText()).to.include(attack);
    expect(await page.locator('#policies').innerText()).to.include('golemtrust-production-policy');
    expect(await page.locator('script, img').count()).to.equal(0);
    expect([requests, noises]).to.deep.equal([[], []]);
  });
});
