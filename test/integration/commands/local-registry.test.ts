import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { identityToken, openStack } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { pushIndex } from '../../support/images.ts';
import { Judges } from '../../support/judges.ts';
import { RegistrySession } from '../../support/registry-session.ts';
import { runCli } from './cli.ts';

describe('chainwright local with a registry', () => {
  let stack: Stack;
  let folder = '';

  before(async () => {
    stack = await openStack();
    folder = await mkdtemp(join(tmpdir(), 'chainwright-local-'));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  for (const registry of ['registry', 'registryReferrers'] as const) {
    it(`writes evidence to the ${registry} that cosign accepts by the runbook's commands`, async () => {
      await using parts = new AsyncDisposableStack();
      const session = parts.use(await RegistrySession.open({ ca: stack.ca, account: stack.robot }));
      const judges = parts.use(await Judges.open(stack));
      const image = await pushIndex(session, `${stack[registry]}/local-${Date.now()}`);
      const runs = join(folder, registry);
      await mkdir(runs);
      await writeFile(join(runs, 'run.json'), taskRunOf(image.repository, image.digest));
      await writeFile(join(folder, 'token'), await identityToken());
      const args = [
        'local',
        '--once',
        '--taskruns',
        runs,
        '--store',
        stack[registry],
        '--identity-token',
        'token',
      ];
      const servers = [
        '--fulcio-url',
        stack.fulcioUrl,
        '--rekor-url',
        stack.rekorUrl,
        '--trusted-root',
        stack.trustedRoot,
      ];
      const env = { SSL_CERT_FILE: stack.ca, DOCKER_CONFIG: stack.env['DOCKER_CONFIG'] ?? '' };
      const outcome = await runCli([...args, ...servers], { cwd: folder, env });
      expect(outcome.stdout + outcome.stderr).to.match(/^ci\/build +signed +log indices \d+/m);
      expect(outcome.code).to.equal(0);
      for (const ref of [image.ref, ...image.platforms.map((digest) => `${image.repository}@${digest}`)]) {
        expect(await judges.verify(ref)).to.have.property('code', 0);
        expect(await judges.verifyAttestation(ref)).to.have.property('code', 0);
      }
      expect(await judges.verify(image.ref, { identityRegexp: 'somebody-else' }))
        .to.have.property('code')
        .that.is.above(0);
    });
  }

  it('refuses an image outside the store with ERR_STORE_FOREIGN', async () => {
    const runs = join(folder, 'foreign');
    await mkdir(runs);
    await writeFile(join(runs, 'run.json'), taskRunOf('oci.example/app', `sha256:${'1'.repeat(64)}`));
    await writeFile(join(folder, 'token'), await identityToken());
    const args = [
      'local',
      '--once',
      '--taskruns',
      runs,
      '--store',
      stack.registry,
      '--identity-token',
      'token',
    ];
    const servers = [
      '--fulcio-url',
      stack.fulcioUrl,
      '--rekor-url',
      stack.rekorUrl,
      '--trusted-root',
      stack.trustedRoot,
    ];
    const { code, stdout } = await runCli([...args, ...servers], {
      cwd: folder,
      env: { SSL_CERT_FILE: stack.ca },
    });
    expect(stdout).to.include('ERR_STORE_FOREIGN');
    expect(code).to.equal(1);
  });
});

function taskRunOf(repository: string, digest: string): string {
  return JSON.stringify({
    apiVersion: 'tekton.dev/v1',
    kind: 'TaskRun',
    metadata: { name: 'build', namespace: 'ci' },
    status: {
      completionTime: new Date().toISOString(),
      conditions: [{ type: 'Succeeded', status: 'True' }],
      results: [
        { name: 'IMAGE_URL', value: `${repository}:v1` },
        { name: 'IMAGE_DIGEST', value: digest },
      ],
    },
  });
}
