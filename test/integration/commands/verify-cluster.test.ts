import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { EvidenceMaker } from '../../support/evidence-maker.ts';
import { pushImage } from '../../support/images.ts';
import { pipelineIdentity } from '../../support/judges.ts';
import { policiesPath, runbookPolicyFor } from '../../support/runbook-policy.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';
import { trustRootObject, trustRootsPath } from '../../support/trust-root.ts';
import { runCli } from './cli.ts';
import type { CliOutcome } from './cli.ts';

interface Verdict {
  readonly outcome: string;
  readonly policies: readonly {
    readonly policy: string;
    readonly passed: boolean;
    readonly reasons: readonly { readonly code: string; readonly message: string }[];
    readonly authorities: readonly {
      readonly checks: readonly {
        readonly evidence: readonly { readonly logEntries: readonly unknown[] }[];
      }[];
    }[];
  }[];
}

describe('chainwright verify --cluster', () => {
  const label = `verify-${randomBytes(4).toString('hex')}`;
  const created: string[] = [];
  let scene: Scene;
  let namespace = '';
  let folder = '';
  let repository = '';
  let signed = '';
  let unsigned = '';

  const create = async (collection: string, object: { metadata: { name: string } }): Promise<void> => {
    await scene.api.create(collection, object);
    created.push(`${collection}/${object.metadata.name}`);
  };
  /** Has a policy more in the cluster while `act` runs. */
  const withPolicy = async (
    policy: { metadata: { name: string } },
    act: () => Promise<void>,
  ): Promise<void> => {
    await scene.api.create(policiesPath, policy);
    try {
      await act();
    } finally {
      await scene.api.delete(`${policiesPath}/${policy.metadata.name}`);
    }
  };
  const cli = (...args: string[]): Promise<CliOutcome> => {
    const { kubeconfig, ca, env } = scene.stack;
    const docker = env['DOCKER_CONFIG'];
    return runCli([...args, '--namespace', namespace], {
      cwd: folder,
      env: {
        KUBECONFIG: kubeconfig,
        SSL_CERT_FILE: ca,
        ...(docker === undefined ? {} : { DOCKER_CONFIG: docker }),
      },
    });
  };
  const verify = (image: string, ...args: string[]): Promise<CliOutcome> =>
    cli('verify', image, '--cluster', ...args);
  const verdictOn = async (image: string): Promise<Verdict> =>
    JSON.parse((await verify(image, '--output', 'json')).stdout) as Verdict;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-verify-'));
    scene = await openScene();
    namespace = await scene.namespace('verify');
    repository = `${scene.stack.registry}/${label}`;
    const image = await pushImage(scene.registry, repository);
    await new EvidenceMaker(scene.stack, scene.judges).make(image.ref);
    signed = image.ref;
    unsigned = (await pushImage(scene.registry, repository)).ref;
    await create(trustRootsPath, await trustRootObject(scene.stack, label));
    await create(policiesPath, await runbookPolicyFor(`${repository}**`, label, label));
  });

  after(async () => {
    for (const path of created.toReversed()) await scene.api.delete(path);
    await scene[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('prints every check of the policies of the cluster, with certificate and log index of the evidence', async () => {
    const { code, stdout, stderr } = await verify(signed);
    expect(code, stderr + stdout).to.equal(0);
    expect(stdout)
      .to.match(/: admitted\n/)
      .and.include(`policy ${label} (enforce, strict): passed`);
    const evidence = [...stdout.matchAll(/^ +tag: (\S+) by \S+, log index \d+, /gm)];
    expect(evidence.map(([, subject]) => subject)).to.deep.equal([
      pipelineIdentity,
      pipelineIdentity,
      pipelineIdentity,
    ]);
  });

  it('denies with exit code 1, and names each check that lacks something', async () => {
    const { code, stdout } = await verify(unsigned);
    expect(code).to.equal(1);
    expect(stdout).to.include('signature: missing').and.include('sbom-cyclonedx');
  });

  it('reads the Secrets and ConfigMaps that policies refer to, and says which one is absent', async () => {
    const policy = (name: string, authority: object, more: object = {}): { metadata: { name: string } } => ({
      ...{ apiVersion: 'policy.sigstore.dev/v1alpha1', kind: 'ClusterImagePolicy', metadata: { name } },
      ...{ spec: { images: [{ glob: `${repository}**` }], authorities: [authority], ...more } },
    });
    const keyed = policy(`${label}-key`, { key: { secretRef: { name: 'absent' } } });
    await withPolicy(keyed, async () => {
      const { policies } = await verdictOn(signed);
      const reasons = policies.find((one) => one.policy === keyed.metadata.name)?.reasons;
      expect(reasons?.[0]?.message).to.include('secret "absent" not found');
    });
    const configMapRef = { name: 'rules', key: 'policy' };
    await scene.api.create(`/api/v1/namespaces/${namespace}/configmaps`, {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'rules', namespace } },
      data: { policy: 'authorityMatches: nobody: _' },
    });
    const passing = { name: 'open', static: { action: 'pass' } };
    const ruled = policy(`${label}-rule`, passing, { policy: { type: 'cue', configMapRef } });
    await withPolicy(ruled, async () => {
      const { policies } = await verdictOn(signed);
      const result = policies.find((one) => one.policy === ruled.metadata.name);
      expect(result?.passed).to.equal(false);
      expect(JSON.stringify(result?.reasons)).to.include('nobody');
    });
  });

  it('denies by a TrustRoot that is not there, as the webhook does', async () => {
    const name = `${label}-rootless`;
    await withPolicy(await runbookPolicyFor(`${repository}**`, name, 'no-such-root'), async () => {
      const { policies } = await verdictOn(signed);
      const result = policies.find(({ policy }) => policy === name);
      expect(result?.passed).to.equal(false);
      expect(JSON.stringify(result?.reasons)).to.include('no-such-root');
    });
  });

  it('takes trustedRoot.trustRootRef of the settings where a policy names no trust root', async () => {
    const name = `${label}-default`;
    const policy = await runbookPolicyFor(`${repository}**`, name, 'x');
    for (const authority of policy.spec.authorities) {
      delete authority.ctlog;
      delete authority.keyless?.trustRootRef;
    }
    const config = join(folder, 'config.yaml');
    await writeFile(
      config,
      JSON.stringify({
        apiVersion: 'chainwright.dev/v1alpha1',
        kind: 'ChainwrightConfig',
        metadata: { name: 'default' },
        spec: { trustedRoot: { trustRootRef: label } },
      }),
    );
    await withPolicy(policy, async () => {
      const { code, stdout, stderr } = await verify(signed, '--config', config);
      expect(code, stderr + stdout).to.equal(0);
      expect(stdout).to.include(`policy ${name} (enforce, strict): passed`);
    });
  });

  it('tests a workload by the policies of the cluster', async () => {
    const workload = join(folder, 'pod.json');
    const containers = [
      { name: 'a', image: signed },
      { name: 'b', image: unsigned },
    ];
    await writeFile(workload, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', spec: { containers } }));
    const test = ['policy', 'test', '--cluster', '-f', workload, '--output', 'json'];
    const { code, stdout, stderr } = await cli(...test);
    expect(stderr).to.equal('');
    const { images } = JSON.parse(stdout) as { images: { path: string; outcome: string }[] };
    expect(code).to.equal(1);
    expect(images.map(({ path, outcome }) => [path, outcome])).to.deep.equal([
      ['spec.containers[0].image', 'admitted'],
      ['spec.containers[1].image', 'denied'],
    ]);
  });

  it('refuses --cluster together with --policy, and no source of policies at all, with exit code 2', async () => {
    expect((await verify(signed, '--policy', 'x.yaml')).code).to.equal(2);
    const { code, stderr } = await cli('verify', signed);
    expect(code).to.equal(2);
    expect(stderr).to.include('--cluster');
  });

  it('tells with exit code 3 that the cluster cannot be reached', async () => {
    const unreachable = join(folder, 'kubeconfig');
    const context = { name: 'c', context: { cluster: 'c', user: 'u' } };
    await writeFile(
      unreachable,
      JSON.stringify({
        ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c', contexts: [context] },
        clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
        users: [{ name: 'u', user: { token: 'x' } }],
      }),
    );
    const { code, stderr } = await runCli(['verify', signed, '--cluster'], {
      cwd: folder,
      env: { KUBECONFIG: unreachable },
    });
    expect(code, stderr).to.equal(3);
  });
});
