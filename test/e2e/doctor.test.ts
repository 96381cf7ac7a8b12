import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { kubectl } from '../../hack/stack/stack.ts';
import { findingTable } from '../../src/commands/doctor/finding-table.ts';
import type { Finding, FindingId } from '../../src/commands/doctor/finding-table.ts';
import { runCli } from '../integration/commands/cli.ts';
import { controllerAccount, writeAccountKubeconfig } from '../support/account-kubeconfig.ts';
import { plantedFaults } from '../support/doctor-faults.ts';
import type { DoctorScene } from '../support/doctor-faults.ts';
import { openInstallation } from '../support/pods/installation.ts';
import { policiesPath, readRunbookPolicy } from '../support/runbook-policy.ts';
import { openScene } from '../support/scene.ts';
import { waitFor } from '../support/waiting.ts';
import { testSelector } from '../support/webhook-configurations.ts';

const label = 'doctor';
const found = new Set<FindingId>();

interface Outcome {
  readonly code: number | null;
  readonly findings: readonly Finding[];
}

describe('chainwright doctor', () => {
  const parts = new AsyncDisposableStack();
  let scene: DoctorScene;
  /** What other tests left in the cluster is theirs. */
  let foreign: ReadonlySet<string>;

  const doctor = async (
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> => {
    const { stack, folder } = scene;
    const base = { KUBECONFIG: stack.kubeconfig, SSL_CERT_FILE: stack.ca };
    const { code, stdout, stderr } = await runCli(['doctor', '--output', 'json', ...args], {
      cwd: folder,
      env: { ...base, ...env },
    });
    if (stdout === '') throw new Error(stderr);
    const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] };
    return { code, findings: findings.filter(({ object }) => !foreign.has(object)) };
  };

  /** Everything, once it has settled: webhook and controller tell of a change a moment after it was made. */
  const settled = async (): Promise<Outcome> => {
    const look = async (): Promise<Outcome> => doctor(['--registry', `${scene.stack.registry}/${label}`]);
    return waitFor(
      async () => {
        const outcome = await look();
        return outcome.findings.length === 0 ? outcome : undefined;
      },
      { what: 'doctor finding nothing', timeoutMs: 60_000 },
    ).catch(look);
  };

  before(async () => {
    const opened = parts.use(await openScene());
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-doctor-'));
    parts.defer(() => rm(folder, { recursive: true }));
    const { api, stack } = opened;
    foreign = new Set(
      (await api.list(policiesPath)).map(({ metadata }) => `ClusterImagePolicy ${metadata.name}`),
    );
    parts.use(await openInstallation(opened, label));
    const enforced = async (stem: string, test: string): Promise<void> => {
      const name = await opened.namespace(stem);
      const labels = { ...testSelector(test), 'sigstore-policy': 'enforce' };
      await api.mergePatch(`/api/v1/namespaces/${name}`, { metadata: { labels } });
    };
    await enforced('production', label);
    await enforced('copied', `${label}-copy`);
    const policy = await readRunbookPolicy();
    policy.metadata.name = label;
    policy.spec.images = [{ glob: `${stack.registry}/${label}**` }];
    await api.create(policiesPath, policy);
    parts.defer(() => api.delete(`${policiesPath}/${label}`));
    const trustedRoot = JSON.parse(await readFile(stack.trustedRoot, 'utf8')) as DoctorScene['trustedRoot'];
    scene = { ...opened, folder, trustedRoot };
  }).timeout(400_000);

  after(async () => {
    await parts.disposeAsync();
  });

  it('finds nothing in a healthy installation', async () => {
    const { code, findings } = await settled();
    expect(findings, JSON.stringify(findings)).to.deep.equal([]);
    expect(code).to.equal(0);
  });

  it('tells as the controller itself what it may see, and what it may not', async () => {
    const kubeconfig = join(scene.folder, 'controller');
    await writeAccountKubeconfig(scene.stack, controllerAccount, kubeconfig);
    const look = async (): Promise<Outcome> =>
      doctor(['--trusted-root', scene.stack.trustedRoot], {
        KUBECONFIG: kubeconfig,
        COSIGN_REKOR_URL: scene.stack.rekorUrl,
      });
    const { code, findings } = await waitFor(
      async () => {
        const outcome = await look();
        return outcome.code === 0 ? outcome : undefined;
      },
      { what: 'doctor finding no error', timeoutMs: 60_000 },
    ).catch(look);
    expect(code, JSON.stringify(findings)).to.equal(0);
    expect(new Set(findings.map(({ id }) => id))).to.deep.equal(new Set(['not-checked']));
    // Parts of checks, the rest of which was made.
    const parts = ['subjects that policies ask for', 'Leases of other namespaces'];
    expect(findings.map(({ object }) => object)).to.include.members(parts);
  });

  for (const fault of plantedFaults) {
    it(`finds ${fault.ids.join(' and ')}: ${fault.what}`, async () => {
      const planted = await fault.plant(scene);
      try {
        const args = ['--check', ...fault.checks, ...(planted.args ?? [])];
        const { code, findings } = await waitFor(
          async () => {
            const outcome = await doctor(args, planted.env);
            const ids = outcome.findings.map(({ id }) => id);
            return fault.ids.every((id) => ids.includes(id)) ? outcome : undefined;
          },
          { what: `doctor finding ${fault.ids.join(', ')}`, timeoutMs: 60_000 },
        ).catch(async () => doctor(args, planted.env));
        const ids = findings.map(({ id }) => id);
        expect(ids, JSON.stringify(findings)).to.include.members(fault.ids);
        for (const { id, severity, remedy } of findings) {
          expect(remedy).to.equal(findingTable[id].remedy);
          expect(severity).to.equal(findingTable[id].severity);
          found.add(id);
        }
        const errors = findings.filter(({ severity }) => severity === 'error');
        const isReach = errors.every(({ id }) => id === 'unreachable');
        expect(code).to.equal(errors.length === 0 ? 0 : isReach ? 3 : 1);
      } finally {
        await planted.heal?.();
      }
    });
  }

  it('found at least fifteen kinds of fault, and finds nothing once all are mended', async () => {
    expect(found.size).to.be.at.least(15);
    process.stdout.write(`      ${found.size} kinds of fault found: ${[...found].toSorted().join(', ')}\n`);
    const { findings } = await settled();
    expect(findings, JSON.stringify(findings)).to.deep.equal([]);
    const text = await runCli(['doctor', '--check', 'types', 'chains'], {
      cwd: scene.folder,
      env: { KUBECONFIG: scene.stack.kubeconfig },
    });
    expect(text.stdout).to.equal('2 checks made: nothing found\n');
    expect(await kubectl(['get', 'pods', '--all-namespaces', '-o', 'name'])).to.not.include('doctor');
  });
});
