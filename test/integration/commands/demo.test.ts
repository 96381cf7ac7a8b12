import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCli } from './cli.ts';

describe('chainwright demo', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-demo-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('signs, verifies and refuses, tells it in sixty plain lines, and can be run again', async () => {
    for (let round = 1; round <= 2; round += 1) {
      const { code, stdout, stderr } = await runCli(['demo'], { cwd: folder });
      expect(stderr).to.equal('');
      expect(code).to.equal(0);
      const lines = stdout.trimEnd().split('\n');
      expect(lines.length).to.be.at.most(60);
      expect(stdout).to.match(/^[\P{Cc}\n]+$/u);
      expect(stdout).to.include('DEVELOPMENT SIGSTORE: nobody else trusts it').and.not.include(folder);
      expect(lines.filter((line) => /^\d+\. /.test(line))).to.have.length(9);
      for (const evidence of ['signature', 'provenance', 'SBOM']) {
        for (const layout of ['tag', 'referrer']) {
          expect(stdout).to.match(new RegExp(String.raw`${evidence} +${layout} +log index \d+ +verified`));
        }
      }
      expect(stdout).to.match(
        /npm +left-pad +1\.3\.0 +WTFPL +\/app\/node_modules\/left-pad\/package\.json\n/,
      );
      expect(stdout).to.match(/deb +nodejs +24\.11\.0-1 +MIT +\/var\/lib\/dpkg\/status\n/);
      expect(stdout).to.match(/image with one byte more +refused +ERR_VERIFY_SUBJECT\n/);
      expect(stdout).to.match(/another identity expected +refused +ERR_VERIFY_IDENTITY\n/);
      expect(stdout).to.match(/provenance names another builder +refused +ERR_VERIFY_SIGNATURE\n/);
      const passed = 'signature passed, slsa-provenance passed, sbom-cyclonedx passed';
      expect(stdout).to.match(new RegExp(`example-service:1\\.4\\.0 +admitted +${passed}\\n`));
      expect(stdout).to.match(/example-service:unsigned +denied +signature missing, /);
      expect(stdout).to.include('failed policy: golemtrust-production-policy');
    }
  });

  it('leaves the image, its evidence, the annotations and the SigningRecord where it says', async () => {
    await runCli(['demo'], { cwd: folder });
    const read = async (path: string) =>
      JSON.parse(await readFile(join(folder, '.demo', path), 'utf8')) as object;
    const index = (await read('registry/index.json')) as {
      manifests: { annotations?: Record<string, string> }[];
    };
    const names = index.manifests.flatMap(
      ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] ?? [],
    );
    expect(names.map((name) => name.replace(/^.*:(?:sha256-[\da-f]{64})?/, '')).sort()).to.deep.equal([
      '.att',
      '.sig',
      '1.4.0',
      'unsigned',
    ]);
    expect(await read('state/runs/ci/example-build.json')).to.have.nested.property(
      'metadata.annotations.chains\\.tekton\\.dev/signed',
      'true',
    );
    const [record = ''] = await readdir(join(folder, '.demo/state/records/ci'));
    expect(await read(`state/records/ci/${record}`)).to.have.nested.property('spec.phase', 'Complete');
    expect(await read('trusted_root.json')).to.have.property('tlogs');
  });

  it('refuses to wipe a folder that it did not make, with ERR_USAGE_DEMO_FOLDER and exit code 2', async () => {
    await mkdir(join(folder, '.demo'));
    await writeFile(join(folder, '.demo/thesis.txt'), 'the only copy');
    const { code, stderr } = await runCli(['demo'], { cwd: folder });
    expect(code).to.equal(2);
    expect(stderr).to.include('ERR_USAGE_DEMO_FOLDER');
    expect(await readdir(join(folder, '.demo'))).to.deep.equal(['thesis.txt']);
  });
});
