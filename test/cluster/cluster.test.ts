import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { kubectl } from '../../hack/stack/stack.ts';
import { controllerAccount } from '../support/account-kubeconfig.ts';
import { checkout } from '../support/chainwright-process.ts';
import { openClusterInstallation } from '../support/cluster/cluster-installation.ts';
import type { ClusterInstallation } from '../support/cluster/cluster-installation.ts';
import { prepareBuilds, startBuild, waitUntilBuilt } from '../support/cluster/tekton-build.ts';
import type { FinishedBuild } from '../support/cluster/tekton-build.ts';
import { CosignSigner } from '../support/cosign-signer.ts';
import { runDocumented } from '../support/documented-commands.ts';
import { pushImage } from '../support/images.ts';
import { registryFlags } from '../support/pods/installation.ts';
import { runbookPolicyFile } from '../support/runbook-policy.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { waitUntilSigned } from '../support/task-runs.ts';
import { trustRootObject } from '../support/trust-root.ts';
import { waitFor } from '../support/waiting.ts';

const mark = randomBytes(4).toString('hex');
const [builds, production] = [`builds-${mark}`, `production-${mark}`];
const greeting = `built in a Pod ${mark}`;

interface Pods {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly containers: readonly { readonly image: string }[] };
    readonly status: {
      readonly phase: string;
      readonly podIP: string;
      readonly containerStatuses: readonly { readonly ready: boolean; readonly imageID: string }[];
    };
  }[];
}

const podsOf = async (namespace: string, ...args: readonly string[]): Promise<Pods['items']> =>
  (JSON.parse(await kubectl(['-n', namespace, 'get', 'pods', '-o', 'json', ...args])) as Pods).items;

/** What kubectl said when it was refused. */
const refusalOf = (work: Promise<string>): Promise<string> =>
  work.then(
    (printed) => expect.fail(`it was not refused: ${printed}`),
    (error: unknown) => String(error),
  );

function deploymentOf(name: string, image: string): string {
  const labels = { app: name };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: production },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          imagePullSecrets: [{ name: 'registry' }],
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'app', image }],
        },
      },
    },
  });
}

describe('a cluster with a node, under Tekton Pipelines and us', () => {
  let scene: Scene;
  let installation: ClusterInstallation;
  let image: string;
  let build: FinishedBuild;

  before(async () => {
    scene = await openScene();
    image = `${scene.stack.registry}/cluster-${mark}:1.0`;
    installation = await openClusterInstallation(scene.stack);
    for (const namespace of [builds, production]) await kubectl(['create', 'namespace', namespace]);
    await prepareBuilds(scene.stack, builds);
  }).timeout(600_000);

  after(async () => {
    await kubectl(['delete', '--ignore-not-found', 'clusterimagepolicies', 'golemtrust-production-policy']);
    await kubectl(['delete', '--ignore-not-found', 'namespace', builds, production]);
    await installation[Symbol.asyncDispose]();
    await scene[Symbol.asyncDispose]();
  }).timeout(180_000);

  it('runs every Deployment of ours in Pods of our image', async () => {
    const { name, digest } = installation.image;
    const counts: Record<string, number> = {};
    for (const namespace of ['tekton-chains', 'chainwright-monitor']) {
      for (const pod of await podsOf(namespace, '-l', 'app.kubernetes.io/part-of=chainwright')) {
        const [container] = pod.spec.containers;
        const [status] = pod.status.containerStatuses;
        expect(container?.image).to.equal(`${name}@${digest}`);
        expect(status).to.include({ ready: true, imageID: `${name}@${digest}` });
        expect(pod.status.podIP).to.match(/^10\.88\.0\./);
        const deployment = pod.metadata.name.replace(/-[a-z0-9]+-[a-z0-9]+$/, '');
        counts[deployment] = (counts[deployment] ?? 0) + 1;
      }
    }
    expect(counts).to.deep.equal({
      'tekton-chains-controller': 1,
      'chainwright-webhook': 2,
      'chainwright-monitor': 2,
    });
  });

  it('signs what a Pipeline of real Tekton built in a Pod, with nobody asking', async () => {
    const startedMs = performance.now();
    await startBuild(builds, { name: 'release-1', image, greeting });
    build = await waitUntilBuilt(builds, 'release-1');
    const builtMs = performance.now();
    expect(build.url).to.equal(image);
    const { logEntries } = await waitUntilSigned(scene.api, { namespace: builds, name: build.taskRun });
    const seconds = (ms: number): string => (ms / 1000).toFixed(1);
    console.log(
      `      built in ${seconds(builtMs - startedMs)} s, signed ${seconds(performance.now() - builtMs)} s after that was seen`,
    );
    expect(logEntries).to.have.length(4);
    const ref = `${image}@${build.digest}`;
    const judgements = [
      await scene.judges.verify(ref),
      await scene.judges.verifyAttestation(ref),
      await scene.judges.verifyAttestation(ref, 'cyclonedx'),
    ];
    for (const { code, stderr } of judgements) expect(code, stderr).to.equal(0);
    const { payload } = JSON.parse(judgements[1]?.stdout ?? '') as { payload: string };
    expect(Buffer.from(payload, 'base64').toString('utf8')).to.include(
      'https://tekton.golems.internal/chains/v2',
    );
    const events = await kubectl(['-n', builds, 'get', 'events', '-o', 'jsonpath={.items[*].reason}']);
    expect(events.split(' ')).to.include('Signed');
    expect(await kubectl(['-n', builds, 'get', 'signingrecords'])).to.include(build.taskRun);
  }).timeout(240_000);

  it('starts a Deployment of that image in a namespace that is enforced, by the runbook’s policy', async () => {
    await kubectl(['label', 'namespace', production, 'sigstore-policy=enforce']);
    await kubectl(['apply', '-f', runbookPolicyFile.pathname]);
    const policy = 'clusterimagepolicies/golemtrust-production-policy';
    await kubectl(['wait', '--for=condition=Ready', '--timeout=30s', policy]);
    const secret = ['-n', production, 'create', 'secret', 'docker-registry', 'registry'];
    await kubectl([...secret, ...registryFlags(scene.stack, scene.stack.reader)]);

    await kubectl(['apply', '-f', '-'], deploymentOf('greeter', image));
    await kubectl(['-n', production, 'rollout', 'status', 'deployment/greeter', '--timeout=90s']);

    const [pod] = await podsOf(production, '-l', 'app=greeter');
    expect(pod?.status.phase).to.equal('Running');
    // The tag was exchanged for what was judged.
    expect(pod?.spec.containers[0]?.image).to.equal(`${image}@${build.digest}`);
    expect(await kubectl(['-n', production, 'logs', 'deployment/greeter'])).to.equal(`${greeting}\n`);
  }).timeout(180_000);

  it('refuses a Deployment of an image that nobody signed, and a Pod of it, with what is missing', async () => {
    const { ref } = await pushImage(scene.registry, `${scene.stack.registry}/cluster-${mark}`);
    const refusals = [
      await refusalOf(kubectl(['apply', '-f', '-'], deploymentOf('unsigned', ref))),
      await refusalOf(kubectl(['-n', production, 'run', 'unsigned', `--image=${ref}`])),
    ];
    for (const refusal of refusals) {
      expect(refusal)
        .to.include('admission webhook')
        .and.to.include('golemtrust-production-policy')
        .and.to.include('pipeline-signature')
        .and.to.include(ref);
    }
    expect(await kubectl(['-n', production, 'get', 'deployments', '-o', 'name'])).to.equal(
      'deployment.apps/greeter\n',
    );
  }).timeout(60_000);

  it('has a monitor that tells who signs as us without our controller', async () => {
    await kubectl(['apply', '-f', '-'], JSON.stringify(await trustRootObject(scene.stack, 'golems')));
    const sample = await readFile(join(checkout, 'config/samples/log-monitor.yaml'), 'utf8');
    const monitor = parse(sample.replace('https://rekor.golems.internal', scene.stack.rekorUrl)) as object;
    await kubectl(['apply', '-f', '-'], JSON.stringify(monitor));
    await kubectl(['wait', '--for=condition=CaughtUp', '--timeout=60s', 'logmonitors/golems']);
    await kubectl(['wait', '--for=condition=Healthy', '--timeout=10s', 'logmonitors/golems']);

    const theirs = await pushImage(scene.registry, `${scene.stack.registry}/cluster-${mark}`);
    await new CosignSigner({ ...scene, account: controllerAccount }).sign(theirs.ref, 'tag');

    await kubectl(['wait', '--for=condition=Healthy=False', '--timeout=60s', 'logmonitors/golems']);
    const told = await kubectl(['get', 'logmonitors', 'golems']);
    expect(told).to.match(/golems .* False +UnexplainedEntry +True/);
    await kubectl(['delete', 'logmonitors,trustroots', 'golems']);
  }).timeout(180_000);

  it('has a doctor in the controller’s Pod, who finds nothing wrong', async () => {
    const text = await readFile(join(checkout, 'docs/doctor.md'), 'utf8');
    const [command = ''] = /^kubectl -n tekton-chains exec .*$/m.exec(text) ?? [];
    const printed = await kubectl([...command.split(' ').slice(1), '--output', 'json']);
    const { findings } = JSON.parse(printed) as { findings: { id: string }[] };
    expect(findings.filter(({ id }) => id !== 'not-checked')).to.deep.equal([]);
  }).timeout(90_000);

  it('signs what is built while its replicas change, each run once', async () => {
    const deployment = 'deployment/tekton-chains-controller';
    await kubectl(['-n', 'tekton-chains', 'scale', deployment, '--replicas=3']);
    await kubectl(['-n', 'tekton-chains', 'rollout', 'status', deployment, '--timeout=120s']);
    const names = ['release-2', 'release-3', 'release-4'];
    for (const name of names) {
      await startBuild(builds, { name, image: image.replace(':1.0', `:${name}`), greeting: name });
    }
    await kubectl(['-n', 'tekton-chains', 'rollout', 'restart', deployment]);
    for (const name of names) {
      const { taskRun } = await waitUntilBuilt(builds, name);
      const { logEntries } = await waitUntilSigned(scene.api, { namespace: builds, name: taskRun }, 90_000);
      expect(logEntries, name).to.have.length(4);
    }
    await kubectl(['-n', 'tekton-chains', 'rollout', 'status', deployment, '--timeout=120s']);
    await kubectl(['-n', 'tekton-chains', 'scale', deployment, '--replicas=1']);
  }).timeout(420_000);

  it('is gone after the documented commands, and leaves nothing stuck', async () => {
    await runDocumented(scene.stack, 'Uninstall', installation.overlay);
    await waitFor(
      async () =>
        (await podsOf('tekton-chains', '-l', 'app.kubernetes.io/part-of=chainwright')).length === 0
          ? true
          : undefined,
      { what: 'our Pods being gone', timeoutMs: 90_000, pollMs: 500 },
    );
    const { ref } = await pushImage(scene.registry, `${scene.stack.registry}/cluster-${mark}`);
    await kubectl(['apply', '-f', '-'], deploymentOf('anything', ref));
    await kubectl(['-n', builds, 'delete', 'pipelineruns,taskruns', '--all', '--timeout=60s']);
    await kubectl(['delete', 'namespace', builds, production, '--timeout=90s']);
    await kubectl(['wait', '--for=delete', 'namespace/chainwright-monitor', '--timeout=90s']);
  }).timeout(420_000);
});
