import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { environment } from '../../hack/image/contents.ts';
import { run } from '../../hack/stack/process/run.ts';
import { kubectl } from '../../hack/stack/stack.ts';
import { leaseGroupLabel } from '../../src/kube/leases/lease-record.ts';
import { podOf } from '../support/admission-scene.ts';
import { runDocumented } from '../support/documented-commands.ts';
import { pushImage } from '../support/images.ts';
import type { PushedImage } from '../support/images.ts';
import type { KubeObject, WriteOutcome } from '../support/kube-api.ts';
import { containerCommand } from '../support/pods/image-container.ts';
import { openInstallation } from '../support/pods/installation.ts';
import type { Installation } from '../support/pods/installation.ts';
import { policiesPath, readRunbookPolicy } from '../support/runbook-policy.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import {
  createCompletedRun,
  imageResults,
  runPath,
  startRun,
  waitUntilSigned,
} from '../support/task-runs.ts';
import { waitFor } from '../support/waiting.ts';
import { testSelector } from '../support/webhook-configurations.ts';

const label = 'in-cluster';

interface Policy extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** All Leases by which replicas of ours share work, as `NAMESPACE/NAME`. */
async function leases(): Promise<string> {
  const output = 'go-template={{range .items}}{{.metadata.namespace}}/{{.metadata.name}} {{end}}';
  return kubectl(['get', 'leases', '-A', '-l', leaseGroupLabel, '-o', output]);
}

describe('what kubectl apply -k installs', () => {
  let scene: Scene;
  let installation: Installation;
  let builds: string;
  let production: string;
  let signed: PushedImage;
  let policyPath: string;

  const newImage = (): Promise<PushedImage> => pushImage(scene.registry, `${scene.stack.registry}/${label}`);
  const createPod = ({ ref }: PushedImage): Promise<WriteOutcome> =>
    scene.api.attempt((api) => api.create(`/api/v1/namespaces/${production}/pods`, podOf({ image: ref })));

  before(async () => {
    scene = await openScene();
    installation = await openInstallation(scene, label);
    builds = await scene.namespace('builds');
    production = await scene.namespace('production');
    await scene.api.mergePatch(`/api/v1/namespaces/${production}`, {
      metadata: { labels: { ...testSelector(label), 'sigstore-policy': 'enforce' } },
    });
  }).timeout(480_000);

  after(async () => {
    await scene.api.delete(policyPath);
    await installation[Symbol.asyncDispose]();
    await scene[Symbol.asyncDispose]();
  });

  it('is an image whose commands run with nothing else in their file system', async () => {
    const { root } = installation;
    const scratch = await mkdtemp(join(tmpdir(), 'chainwright-container-'));
    const [file, ...start] = await containerCommand({
      root,
      scratch,
      mounts: [],
      uid: 65_532,
      gid: 65_532,
    });
    for (const command of ['controller', 'webhook', 'monitor']) {
      const help = await run(file, [...start, command, '--help'], { env: environment });
      expect(help).to.match(new RegExp(`^Usage: chainwright ${command} `));
    }
    await rm(scratch, { recursive: true });
  });

  it('runs as a user without capabilities, on a file system that it cannot write to', async () => {
    expect([...installation.pods.keys()]).to.have.members([
      'chainwright-webhook',
      'tekton-chains-controller',
      'chainwright-monitor',
    ]);
    for (const [name, { pid }] of installation.pods) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      expect(status, name).to.match(/^Uid:(?:\t65532){4}$/m);
      expect(status, name).to.match(/^CapEff:\t0+$/m);
      expect(status, name).to.match(/^NoNewPrivs:\t1$/m);
      const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8');
      expect(mounts, name).to.match(/ \/ \/ ro,/);
      expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).to.match(/^\/nodejs\/bin\/node\0/);
    }
  });

  it('signs a TaskRun with the identity of its ServiceAccount, by the settings of the overlay', async () => {
    signed = await newImage();
    await createCompletedRun(scene.api, { namespace: builds, name: 'build', results: imageResults(signed) });
    await waitUntilSigned(scene.api, { namespace: builds, name: 'build' });
    const { code, stderr } = await scene.judges.verify(signed.ref);
    expect(code, stderr).to.equal(0);
    const provenance = await scene.judges.verifyAttestation(signed.ref);
    expect(provenance.code, provenance.stderr).to.equal(0);
    const { payload } = JSON.parse(provenance.stdout) as { payload: string };
    expect(Buffer.from(payload, 'base64').toString('utf8')).to.include(
      'https://tekton.golems.internal/chains/v2',
    );
  });

  it('takes the runbook’s policy, and judges Pods by it', async () => {
    const policy = await readRunbookPolicy();
    policy.metadata.name = label;
    Object.assign(policy.metadata, { labels: testSelector(label) });
    policy.spec.images = [{ glob: `${scene.stack.registry}/${label}**` }];
    policyPath = `${policiesPath}/${label}`;
    await scene.api.delete(policyPath);
    await waitFor(async () => (await scene.api.attempt((api) => api.create(policiesPath, policy))).object, {
      what: 'the policy being taken',
      timeoutMs: 60_000,
    });
    const conditionsOf = async (): Promise<true | undefined> => {
      const { status } = await scene.api.get<Policy>(policyPath);
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      return ready?.status === 'True' ? true : undefined;
    };
    await waitFor(conditionsOf, { what: 'the policy being in force', timeoutMs: 60_000 });
    expect((await createPod(signed)).refusal).to.equal(undefined);
    const { refusal } = await createPod(await newImage());
    expect(refusal?.message).to.include(label).and.to.include('pipeline-signature');
  });

  it('is never refused a right that it asks for', async () => {
    for (const [name, pod] of installation.pods) {
      expect(await pod.metrics(), name)
        .to.include('chainwright_build_info')
        .and.not.to.include('ERR_KUBE_FORBIDDEN');
      expect(await readFile(pod.logFile, 'utf8'), name).to.not.include('ERR_KUBE_FORBIDDEN');
    }
  });

  it('leaves nothing stuck when it is removed as docs/install.md says', async () => {
    const path = runPath(builds, 'unfinished');
    await startRun(scene.api, {
      namespace: builds,
      name: 'unfinished',
      results: [],
      finalizers: ['example.dev/other'],
    });
    const isHeld = async (): Promise<true | undefined> =>
      (await scene.api.get(path)).metadata.finalizers?.includes('chains.tekton.dev/taskrun')
        ? true
        : undefined;
    await waitFor(isHeld, { what: 'the run being held', timeoutMs: 60_000 });
    const shared = [
      'tekton-chains/chainwright-controller-0',
      'tekton-chains/chainwright-scan-0',
      'chainwright-monitor/chainwright-monitor-0',
    ];
    const areHeld = async (): Promise<true | undefined> => {
      const held = await leases();
      return shared.every((lease) => held.includes(lease)) ? true : undefined;
    };
    await waitFor(areHeld, { what: `Leases ${shared.join(', ')}`, timeoutMs: 60_000 });
    // With the Deployments go their Pods.
    for (const pod of installation.pods.values()) expect(await pod.stop()).to.equal(0);
    expect((await createPod(signed)).refusal?.message).to.include('failed calling webhook');

    await runDocumented(scene.stack, 'Uninstall', installation.overlay);

    // The API server drops webhooks as it hears from a watch that their configurations went.
    const unsigned = await newImage();
    await waitFor(async () => (await createPod(unsigned)).object, {
      what: 'an unsigned image being let in',
      timeoutMs: 30_000,
    });
    expect((await scene.api.get(path)).metadata.finalizers).to.deep.equal(['example.dev/other']);
    await scene.api.mergePatch(path, { metadata: { finalizers: null } });
    await scene.api.delete(path);
    expect(await scene.api.find(path)).to.equal(undefined);
    for (const namespace of ['tekton-chains', 'chainwright-monitor']) {
      const ours = ['-n', namespace, '-l', 'app.kubernetes.io/part-of=chainwright', '-o', 'name'];
      const kinds = 'all,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets';
      expect(await kubectl(['get', kinds, ...ours])).to.equal('');
    }
    expect(await leases()).to.equal('');
    // Nothing is left to do, and nothing is amiss.
    await runDocumented(scene.stack, 'Uninstall', installation.overlay);
  });
});
