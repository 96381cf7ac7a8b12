import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { expect } from 'chai';
import { Agent, request } from 'undici';
import type { AdmissionServer } from '../../../src/admission/admission-server.ts';
import { startAdmission } from '../../../src/commands/webhook/admission-wiring.ts';
import { openWorkloadStores } from '../../../src/commands/webhook/workload-stores.ts';
import { createRegistries, hostTrustOf } from '../../../src/commands/wiring/attestation.ts';
import { LiveJudging } from '../../../src/commands/webhook/judging-wiring.ts';
import { Dispatchers } from '../../../src/commands/wiring/dispatchers.ts';
import { EventRecorder } from '../../../src/kube/events.ts';
import { KubeClient } from '../../../src/kube/kube-client.ts';
import { openKubeconfigAccess } from '../../../src/kube/kubeconfig-access.ts';
import { PullSecretSource } from '../../../src/kube/pull-secrets.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import { silentLog } from '../../../src/model/log.ts';
import { parseClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import { openPolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import { compileClusterPolicy } from '../../../src/policy/policy-compiler.ts';
import { ExceptionRegister } from '../../../src/policy/exception-register.ts';
import { PolicyRegister } from '../../../src/policy/policy-register.ts';
import { issueAuthority, issueLeaf } from '../../../src/reconcilers/serving-certificate-issue.ts';
import { anonymousSource } from '../../../src/registry/credentials.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import { loadTrustRoot } from '../../../src/signing/trust-root.ts';
import { createAdmissionMetrics } from '../../../src/telemetry/admission-metrics.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { EvidenceMaker } from '../../support/evidence-maker.ts';
import { pushImage } from '../../support/images.ts';
import type { PushedImage } from '../../support/images.ts';
import { patientLimits } from '../../support/patient-limits.ts';
import { readRunbookPolicy } from '../../support/runbook-policy.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';

interface Answer {
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly message: string };
  readonly patch?: string;
}

describe('the webhook before a real registry', () => {
  const parts = new AsyncDisposableStack();
  const patience = new AbortController().signal;
  let scene: Scene;
  let server: AdmissionServer;
  let agent: Agent;
  let silent: Server;
  let signed: PushedImage;
  let unsigned: PushedImage;
  let namespace = '';
  let requests = 0;
  let openedMs = 0;

  before(async () => {
    scene = parts.use(await openScene());
    const { stack } = scene;
    const repository = `${stack.registry}/webhook`;
    signed = await pushImage(scene.registry, repository);
    unsigned = await pushImage(scene.registry, repository);
    await new EvidenceMaker(stack, scene.judges).make(signed.ref);
    namespace = await scene.namespace('webhook-server');
    await createPullSecret('pull', stack.reader);
    silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    await start();
  });

  after(async () => {
    await server.close({ drainMs: 0 });
    await agent.destroy();
    silent.close();
    await parts.disposeAsync();
  });

  const createPullSecret = async (
    name: string,
    { user, password }: { readonly user: string; readonly password: string },
  ): Promise<void> => {
    const auths = { 'harbor.golems.internal': { username: user, password } };
    const content = Buffer.from(JSON.stringify({ auths })).toString('base64');
    await scene.api.create(`/api/v1/namespaces/${namespace}/secrets`, {
      metadata: { name },
      type: 'kubernetes.io/dockerconfigjson',
      data: { '.dockerconfigjson': content },
    });
  };

  const hostOfSilent = (): string => `127.0.0.1:${(silent.address() as AddressInfo).port}`;

  const start = async (): Promise<void> => {
    openedMs = performance.now();
    const { stack } = scene;
    const clock = systemClock;
    const { settings } = resolveSettings({
      environment: {},
      flags: {
        // The first verdict waits for the evaluators to start.
        webhook: { address: '127.0.0.1:0', timeout: '30s' },
        registries: [{ host: hostOfSilent(), insecure: true }],
      },
    });
    const access = await openKubeconfigAccess({ paths: [stack.kubeconfig], clock }, { signal: patience });
    const client = parts.use(new KubeClient({ access, clock }));
    const dispatchers = parts.use(
      await Dispatchers.open({ caFiles: [stack.ca], hosts: hostTrustOf(settings) }),
    );
    const registries = createRegistries(settings, dispatchers, clock);
    const engine = parts.use(openPolicyEngine({ clock, limits: patientLimits }));
    const register = new PolicyRegister();
    const policy = await readRunbookPolicy();
    policy.spec.images = [{ glob: `${stack.registry}/webhook**` }, { glob: `${hostOfSilent()}/**` }];
    const trustRoot = await loadTrustRoot(stack.trustedRoot, { signal: patience });
    const absent = (): Promise<never> => Promise.reject(new Error('the policy refers to nothing'));
    const compiled = await compileClusterPolicy(parseClusterImagePolicy(policy, 'system'), {
      engine,
      references: {
        findTrustRoot: () => Promise.resolve(trustRoot),
        ...{ findSecret: absent, findConfigMapEntry: absent, fetchRemotePolicy: absent, findKmsKey: absent },
      },
      signal: patience,
    });
    register.put({ compiled, version: '1' });
    register.complete();
    const metrics = createAdmissionMetrics({ version: 'test' });
    const stores = openWorkloadStores({
      registries: {
        withCredentials: (source) => {
          requests += 1;
          return registries.withCredentials(source);
        },
      },
      pullSecrets: new PullSecretSource({ client }),
      ownCredentials: anonymousSource,
      metrics,
      log: silentLog,
    });
    const authority = await issueAuthority('test', new Date());
    const leaf = await issueLeaf(authority, ['127.0.0.1'], new Date());
    const events = new EventRecorder({ client, clock, log: silentLog });
    parts.defer(() => events.close({ deadlineMs: 1000 }));
    const searchLog = (): Promise<never> => Promise.reject(new Error('no log is asked here'));
    const live = { current: settings, onChange: () => undefined };
    server = await startAdmission(
      {
        live,
        register,
        engine,
        stores,
        judging: new LiveJudging({
          ...{ live, stores, exceptions: new ExceptionRegister(), searchLog, metrics, clock },
        }),
        events,
        metrics,
        namespace: 'system',
        clock,
        log: silentLog,
      },
      { ...leaf, authorityPem: authority.certificatePem },
    );
    agent = new Agent({ connect: { ca: authority.certificatePem } });
  };

  const ask = async (path: string, image: string, pullSecret = 'pull'): Promise<Answer> => {
    const object = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'pod' },
      spec: { containers: [{ name: 'app', image }], imagePullSecrets: [{ name: pullSecret }] },
    };
    const kind = { group: '', version: 'v1', kind: 'Pod' };
    const review = { uid: 'u', kind, namespace, operation: 'CREATE', object, dryRun: true };
    const { body } = await request(`https://${server.address}${path}`, {
      method: 'POST',
      dispatcher: agent,
      body: JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: review }),
    });
    return ((await body.json()) as { response: Answer }).response;
  };

  it('admits an image with all evidence, by the pull secret of the Pod', async () => {
    expect(await ask('/validate', signed.ref)).to.deep.equal({ uid: 'u', allowed: true });
  });

  it('denies one without, and names each check', async () => {
    const { allowed, status } = await ask('/validate', unsigned.ref);
    expect([allowed, status?.code]).to.deep.equal([false, 403]);
    expect(status?.message).to.match(
      /^validation failed: failed policy: golemtrust-production-policy: spec\.containers\[0\]\.image: .*signature missing.*slsa-provenance missing.*sbom-cyclonedx missing.*Next: /,
    );
  });

  it('says which pull secret is missing when the registry refuses', async () => {
    // What was admitted by one account is true for all; what was denied is not told to others.
    const { status } = await ask('/validate', unsigned.ref, 'absent');
    expect(status?.code).to.equal(503);
    expect(status?.message).to.include(`Secret ${namespace}/absent`).and.include('denied pull access');
  });

  it('pins a tag to the digest that the registry has', async () => {
    const image = `${signed.repository}:pinned`;
    const manifest = await scene.registry.findManifest(signed.repository, signed.digest);
    if (manifest === undefined) throw new Error('the image is gone');
    await scene.registry.putManifest(signed.repository, manifest, mediaTypes.ociManifest, 'pinned');
    const { patch = '' } = await ask('/mutate', image);
    const [step] = JSON.parse(Buffer.from(patch, 'base64').toString()) as [{ value: string }];
    expect(step.value).to.equal(`${image}@${signed.digest}`);
    expect((await ask('/validate', step.value)).allowed).to.equal(true);
  });

  it('answers in time with a reason when a registry hangs', async () => {
    const tookMs: number[] = [];
    for (let index = 0; index < 3; index += 1) {
      const startedMs = performance.now();
      const { status } = await ask('/validate?timeout=2s', `${hostOfSilent()}/app@${signed.digest}`);
      tookMs.push(performance.now() - startedMs);
      expect(status?.code).to.equal(503);
      expect(status?.message).to.include('not finished within 1 s');
      expect(status?.message).to.include(`the image lies in ${hostOfSilent()}`);
    }
    // The quickest of them: a busy machine may hold up any single one.
    expect(Math.min(...tookMs)).to.be.below(2000);
  });

  it('opens one store for each account, however often it asks', () => {
    // Each is kept for a minute.
    const minutes = Math.ceil((performance.now() - openedMs) / 60_000);
    expect(requests).to.be.within(2, 2 * minutes);
  });
});
