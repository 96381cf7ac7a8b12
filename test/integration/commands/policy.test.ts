import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { runCli } from './cli.ts';
import type { CliOutcome } from './cli.ts';

const sample = new URL('../../../config/samples/golemtrust-production-policy.yaml', import.meta.url);
const service = 'harbor.golems.internal/golem-trust/example-service';
const identity = [
  '--certificate-identity-regexp',
  'https://kubernetes.golems.internal/namespaces/tekton-chains/serviceaccounts/tekton-chains-controller',
  '--certificate-oidc-issuer',
  'https://kubernetes.golems.internal',
];

interface Named {
  readonly apiVersion: string;
  readonly metadata: { readonly name: string };
}

describe('chainwright policy and verify', () => {
  let folder = '';
  const cli = (...args: string[]): Promise<CliOutcome> => runCli(args, { cwd: folder });
  const inDemo = ['--store', 'oci-layout:.demo/registry', '--trusted-root', '.demo/trusted_root.json'];
  const tested = (...args: string[]): Promise<CliOutcome> =>
    cli('policy', 'test', '-f', 'policy.yaml', ...inDemo, ...args);

  before(async function () {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-policy-'));
    await cp(sample, join(folder, 'policy.yaml'));
    const { code, stderr } = await cli('demo');
    expect(code, stderr).to.equal(0);
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('lints a good policy with exit code 0, and shows what it asks of attestations', async () => {
    const { code, stdout, stderr } = await cli('policy', 'lint', '-f', 'policy.yaml');
    expect(code, stderr).to.equal(0);
    expect(stdout)
      .to.include('ClusterImagePolicy golemtrust-production-policy (policy.yaml): good')
      .and.include('deprecated value, please use RFC 3986 conformant values')
      .and.include('slsa-provenance must have: predicateType, predicate.builder.id');
  });

  it('lints faults of fields and of CUE with exit code 1, all in one run', async () => {
    const policy = (name: string, spec: object): object => ({
      apiVersion: 'policy.sigstore.dev/v1beta1',
      kind: 'ClusterImagePolicy',
      metadata: { name },
      spec: { authorities: [{ static: { action: 'pass' } }], ...spec },
    });
    const items = [
      policy('fields', { images: [{ glob: '$' }], mode: 'maybe' }),
      policy('kms', { images: [{ glob: '**' }], authorities: [{ key: { kms: 'openbao://a' } }] }),
      policy('cue', { images: [{ glob: 'a.b/c:1' }], policy: { type: 'cue', data: 'a: "' } }),
    ];
    await writeFile(join(folder, 'bad.yaml'), JSON.stringify({ kind: 'List', items }));
    const { code, stdout } = await cli('policy', 'lint', '-f', 'bad.yaml', '--output', 'json');
    expect(code).to.equal(1);
    const { objects } = JSON.parse(stdout) as { objects: { faults: string[]; warnings: string[] }[] };
    expect(objects[0]?.faults.join()).to.include('spec.images[0].glob').and.include('spec.mode');
    expect(objects[1]?.faults.join()).to.include('malformed KMS format');
    expect(objects[2]?.faults.join()).to.include('ClusterImagePolicy: the cue policy does not compile');
    expect(objects[2]?.warnings.join()).to.include('a.b/c:1 has a tag');
  });

  it('exports to Kyverno: a policy each and one for images that none is about, limitations beside', async () => {
    const exported = (...args: string[]): Promise<CliOutcome> =>
      cli('policy', 'export', '--to', 'kyverno', '--trusted-root', '.demo/trusted_root.json', ...args);
    const yaml = await exported('-f', 'policy.yaml');
    expect(yaml.code, yaml.stderr).to.equal(0);
    expect(yaml.stdout).to.match(/^# golemtrust-production-policy: .*\n# {3}image-volumes: /);
    expect(yaml.stderr).to.include('golemtrust-production-policy: attestation-choice: pipeline-signature, ');
    const names = parseAllDocuments(yaml.stdout).map((one) => (one.toJS() as Named).metadata.name);
    expect(names).to.deep.equal(['golemtrust-production-policy', 'chainwright-unmatched']);
    const json = await exported('-f', 'policy.yaml', '--kyverno-version', 'v1beta1', '--output', 'json');
    const { items } = JSON.parse(json.stdout) as { items: Named[] };
    expect(items.map(({ apiVersion }) => apiVersion)).to.deep.equal(
      Array(2).fill('policies.kyverno.io/v1beta1'),
    );
    const broken = { ...items[0], apiVersion: 'policy.sigstore.dev/v1beta1', kind: 'ClusterImagePolicy' };
    const spec = { images: [{ glob: '**' }], authorities: [{ key: { secretRef: { name: 'gone' } } }] };
    await writeFile(join(folder, 'broken.yaml'), JSON.stringify({ ...broken, spec }));
    const denied = await exported('-f', 'broken.yaml');
    expect(denied.code, denied.stderr).to.equal(1);
    expect(denied.stderr).to.include('policy-broken: the policy itself is broken: secret "gone" not found');
  });

  it('tests images: 0 for the signed one, 1 and the webhook’s message for the unsigned one', async () => {
    const good = await tested('--image', `${service}:1.4.0`);
    expect(good.code, good.stderr).to.equal(0);
    expect(good.stdout).to.match(/1\.4\.0 \(sha256:[\da-f]{64}\): admitted\n/);
    const bad = await tested('--image', `${service}:1.4.0`, `${service}:unsigned`);
    expect(bad.code).to.equal(1);
    expect(bad.stdout)
      .to.include(
        `failed policy: golemtrust-production-policy: ${service}:unsigned: authority pipeline-signature`,
      )
      .and.include('signature missing');
  });

  it('tests every image of a workload, each with its path', async () => {
    const spec = {
      initContainers: [{ image: `${service}:unsigned` }],
      containers: [{ image: `${service}:1.4.0` }],
    };
    const workload = { apiVersion: 'apps/v1', kind: 'Deployment', spec: { template: { spec } } };
    await writeFile(join(folder, 'workload.yaml'), JSON.stringify(workload));
    const { code, stdout } = await tested('-f', 'workload.yaml', '-o', 'json');
    expect(code).to.equal(1);
    const { images } = JSON.parse(stdout) as { images: { path: string; outcome: string; message: string }[] };
    expect(images.map(({ path, outcome }) => [path, outcome])).to.deep.equal([
      ['spec.template.spec.initContainers[0].image', 'denied'],
      ['spec.template.spec.containers[0].image', 'admitted'],
    ]);
    expect(images[0]?.message).to.include('spec.template.spec.initContainers[0].image');
  });

  it('verifies by a policy, and prints identity and log index of every piece of evidence', async () => {
    const { code, stdout, stderr } = await cli(
      'verify',
      `${service}:1.4.0`,
      '--policy',
      'policy.yaml',
      ...inDemo,
    );
    expect(code, stderr).to.equal(0);
    expect(stdout.match(/serviceaccounts\/tekton-chains-controller by .*, log index \d+, /g)).to.have.length(
      6,
    );
  });

  it('verifies by cosign’s flags, and tells expected and found identity where they differ', async () => {
    const good = await cli('verify', `${service}:1.4.0`, ...identity, ...inDemo);
    expect(good.code, good.stderr).to.equal(0);
    const other = ['--certificate-identity', 'somebody', '--certificate-oidc-issuer-regexp', 'golems'];
    const bad = await cli('verify', `${service}:1.4.0`, ...other, ...inDemo);
    expect(bad.code).to.equal(1);
    expect(bad.stdout).to.include('tekton-chains-controller').and.include('expected is "somebody"');
  });

  const wrong: readonly (readonly [string, readonly string[], string])[] = [
    ['neither policy nor signer', ['verify', 'a.b/c'], 'ERR_USAGE_FLAGS'],
    ['an identity without issuer', ['verify', 'a.b/c', '--certificate-identity', 'a'], 'ERR_USAGE_FLAGS'],
    ['an image that is none', ['verify', 'A B', ...identity, ...inDemo], 'ERR_USAGE_IMAGE'],
    ['a file that is not there', ['policy', 'lint', '-f', 'none.yaml'], 'ERR_USAGE_FILE'],
    ['a file without policies', ['policy', 'lint', '-f', '.demo/trusted_root.json'], 'ERR_USAGE_POLICY'],
    ['nothing to test', ['policy', 'test', '-f', 'policy.yaml'], 'ERR_USAGE_FLAGS'],
    [
      'a policy that is none',
      ['policy', 'test', '-f', 'broken.yaml', '--image', 'a.b/c'],
      'ERR_POLICY_INVALID',
    ],
    ['an unknown flag', ['policy', 'lint', '-f', 'policy.yaml', '--colour'], 'unknown option'],
  ];
  for (const [what, args, code] of wrong) {
    it(`ends with exit code 2 for ${what}, with ${code}`, async () => {
      const broken =
        'apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: a}\n';
      await writeFile(join(folder, 'broken.yaml'), broken);
      const outcome = await cli(...args);
      expect(outcome.stderr).to.include(code);
      expect(outcome.code).to.equal(2);
    });
  }

  it('ends with exit code 3 if the registry cannot be reached', async () => {
    const image = `127.0.0.1:1/a@sha256:${'a'.repeat(64)}`;
    const args = [...identity, '--trusted-root', '.demo/trusted_root.json'];
    const { code, stderr } = await cli('verify', image, ...args);
    expect(code, stderr).to.equal(3);
    expect(stderr).to.include('ERR_REGISTRY_UNREACHABLE');
  });

  it('ends with exit code 1 for an image that is not there, with ERR_POLICY_IMAGE_ABSENT', async () => {
    const { code, stderr } = await tested('--image', `${service}:none`);
    expect(code).to.equal(1);
    expect(stderr).to.include('ERR_POLICY_IMAGE_ABSENT');
  });
});
