import { createPublicKey, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../../../hack/stack/process/run.ts';
import { identityToken, openStack } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import type { Evidence } from '../../../src/signing/evidence-material.ts';
import { createKeySigner } from '../../../src/signing/key-signer.ts';
import { loadTrustRoot } from '../../../src/signing/trust-root.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { verifySignedEntity } from '../../../src/signing/verification.ts';
import type { VerificationDemands } from '../../../src/signing/verification.ts';
import { controllerIdentity, expectController, signal } from '../../unit/signing/signed-evidence.ts';

interface Manifest {
  readonly layers: readonly { mediaType: string; digest: string; annotations?: Record<string, string> }[];
}

describe('verification of what the real cosign wrote', () => {
  let stack: Stack;
  let trustRoot: TrustRoot;
  let folder: string;
  let repository: string;
  let digest: string;

  const judge = (program: string, ...args: string[]): Promise<string> =>
    run(join(stack.bin, program), args, {
      env: { ...stack.env, HOME: folder, PATH: process.env['PATH'] ?? '', COSIGN_PASSWORD: 'lab' },
    });
  const demands = (witness: VerificationDemands['witness']): VerificationDemands => ({
    trustRoot,
    witness,
    requireSct: true,
    at: new Date(),
  });
  const legacy = (): string[] => [
    '--new-bundle-format=false',
    '--use-signing-config=false',
    `--fulcio-url=${stack.fulcioUrl}`,
    `--rekor-url=${stack.rekorUrl}`,
  ];
  const withConfig = (name: string): string[] => ['--signing-config', stack.env[name] ?? ''];
  const layersOf = async (reference: string): Promise<Evidence[]> => {
    const { layers } = JSON.parse(await judge('crane', 'manifest', reference)) as Manifest;
    return Promise.all(
      layers.map(async ({ mediaType, digest: layer, annotations = {} }): Promise<Evidence> => {
        const content = Buffer.from(await judge('crane', 'blob', `${repository}@${layer}`));
        return mediaType.includes('bundle')
          ? { layout: 'bundle', bytes: content }
          : { layout: 'tag', mediaType, content, annotations };
      }),
    );
  };

  before(async function () {
    stack = await openStack();
    trustRoot = await loadTrustRoot(stack.trustedRoot, { signal });
    folder = await mkdtemp(join(tmpdir(), 'cosign-evidence-'));
    repository = `${stack.registryReferrers}/cosign-evidence-${randomUUID()}`;
    await writeFile(join(folder, 'layer.tar'), Buffer.alloc(1024));
    await writeFile(join(folder, 'predicate.json'), '{"builder":{"id":"lab"},"buildType":"lab"}');
    await judge('crane', 'append', '-f', join(folder, 'layer.tar'), '-t', `${repository}:lab`);
    digest = (await judge('crane', 'digest', `${repository}:lab`)).trim();
  });
  after(() => rm(folder, { recursive: true }));

  const sign = async (verb: 'sign' | 'attest', flags: readonly string[]): Promise<void> => {
    const predicate = ['--type', 'slsaprovenance', '--predicate', join(folder, 'predicate.json')];
    await judge(
      'cosign',
      verb,
      '--yes',
      `--trusted-root=${stack.trustedRoot}`,
      `--identity-token=${await identityToken()}`,
      ...(verb === 'attest' ? predicate : []),
      ...flags,
      `${repository}@${digest}`,
    );
  };
  const requireVerified = (evidence: Evidence, witness: VerificationDemands['witness']): void => {
    const verified = verifySignedEntity(evidence, expectController, demands(witness));
    expect(verified.signer).to.deep.include({ identity: controllerIdentity });
    expect(verified.logEntries).to.have.lengthOf(1);
    expect(verified.witnessedAt).not.to.be.empty;
    const payload = Buffer.from(verified.payload).toString('utf8');
    expect(payload).to.include(digest.slice('sha256:'.length));
  };

  it('accepts its signature and attestation in the tag layout', async function () {
    await sign('sign', legacy());
    await sign('attest', legacy());
    const tag = `${repository}:${digest.replace(':', '-')}`;
    const layers = [...(await layersOf(`${tag}.sig`)), ...(await layersOf(`${tag}.att`))];
    expect(layers).to.have.lengthOf(2);
    for (const layer of layers) requireVerified(layer, 'log');
  });

  for (const [log, config] of [
    ['Rekor v1', 'STACK_SIGNING_CONFIG'],
    ['Rekor v2 and a timestamp authority', 'STACK_SIGNING_CONFIG_REKOR2'],
  ] as const) {
    it(`accepts its signature and attestation as bundles, logged in ${log}`, async function () {
      const before = new Set(await referrersOf(stack, repository, digest));
      await sign('sign', withConfig(config));
      await sign('attest', withConfig(config));
      const added = (await referrersOf(stack, repository, digest)).filter((name) => !before.has(name));
      expect(added).to.have.lengthOf(2);
      const bundles = (await Promise.all(added.map((name) => layersOf(`${repository}@${name}`)))).flat();
      for (const bundle of bundles) requireVerified(bundle, 'log');
    });
  }

  it('signs with a key that cosign made so that cosign verifies it', async function () {
    const prefix = join(folder, 'lab');
    await judge('cosign', 'generate-key-pair', `--output-key-prefix=${prefix}`);
    const signer = await createKeySigner({ pem: await readFile(`${prefix}.key`, 'utf8'), password: 'lab' });
    const key = await signer.acquire({ signal });
    const blob = Buffer.from('golemtrust-layout.json');
    await writeFile(join(folder, 'blob'), blob);
    await writeFile(join(folder, 'blob.sig'), Buffer.from(await key.sign(blob)).toString('base64'));
    const spki = createPublicKey(await readFile(`${prefix}.pub`, 'utf8')).export({
      format: 'der',
      type: 'spki',
    });
    expect(key.material).to.deep.equal({ kind: 'public-key', spkiDer: spki });
    await judge(
      'cosign',
      'verify-blob',
      '--new-bundle-format=false',
      '--insecure-ignore-tlog',
      `--key=${prefix}.pub`,
      `--signature=${join(folder, 'blob.sig')}`,
      join(folder, 'blob'),
    );
  });
});

async function referrersOf(stack: Stack, repository: string, digest: string): Promise<string[]> {
  const [host = '', ...path] = repository.split('/');
  const url = `https://${host}/v2/${path.join('/')}/referrers/${digest}`;
  const text = await run('curl', ['--silent', '--fail', '--cacert', stack.ca, url], {
    env: { PATH: process.env['PATH'] ?? '' },
  });
  const { manifests } = JSON.parse(text) as { manifests: { digest: string }[] };
  return manifests.map((manifest) => manifest.digest);
}
