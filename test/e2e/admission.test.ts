import { expect } from 'chai';
import { kubectl } from '../../hack/stack/stack.ts';
import type { AdmissionScene } from '../support/admission-scene.ts';
import { deploymentOf, openAdmissionScene, podOf } from '../support/admission-scene.ts';
import type { PushedImage } from '../support/images.ts';
import type { GelfListener } from '../support/gelf-listener.ts';
import { openGelfListener } from '../support/gelf-listener.ts';
import type { KubeObject } from '../support/kube-api.ts';
import { waitFor } from '../support/waiting.ts';

interface Workload extends KubeObject {
  readonly spec: {
    readonly containers?: readonly { readonly image: string }[];
    readonly template?: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
  };
}

describe('a namespace that enforces the runbook’s policy', function () {
  let scene: AdmissionScene;
  let gelf: GelfListener;
  let signed: PushedImage;
  let unsigned: PushedImage;

  before(async () => {
    gelf = await openGelfListener();
    scene = await openAdmissionScene('admission', {
      asWritten: true,
      settings: { telemetry: { gelf: { address: gelf.address } } },
    });
    signed = await scene.built('signed');
    unsigned = await scene.push();
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
    await gelf[Symbol.asyncDispose]();
  });

  const tagged = async (image: PushedImage, tag: string): Promise<string> => {
    const manifest = await scene.registry.findManifest(image.repository, image.digest);
    const type = 'application/vnd.oci.image.manifest.v1+json';
    await scene.registry.putManifest(image.repository, manifest ?? Buffer.alloc(0), type, tag);
    return `${image.repository}:${tag}`;
  };
  const dryRun = (object: object): Promise<string> =>
    kubectl(['apply', '--dry-run=server', '-f', '-', '-n', scene.enforced], JSON.stringify(object));
  const refusalOf = async (running: Promise<string>): Promise<string> =>
    running.then(
      (text) => `not refused: ${text}`,
      (error: unknown) => String(error),
    );

  it('admits a Pod and a Deployment of an image that our controller attested', async () => {
    expect((await scene.createPod(signed.ref)).refusal).to.equal(undefined);
    const path = `/apis/apps/v1/namespaces/${scene.enforced}/deployments`;
    const { object, refusal } = await scene.api.attempt((api) =>
      api.create(path, deploymentOf('app', signed.ref)),
    );
    expect(refusal).to.equal(undefined);
    expect((object as Workload).spec.template?.spec.containers[0]?.image).to.equal(signed.ref);
  });

  it('writes the digest to a Pod’s tag, and judges what the tag means', async () => {
    const { object, refusal } = await scene.createPod(await tagged(signed, '1.4.0'));
    expect(refusal).to.equal(undefined);
    expect((object as Workload).spec.containers?.[0]?.image).to.equal(
      `${signed.repository}:1.4.0@${signed.digest}`,
    );
    const denied = await scene.createPod(await tagged(unsigned, 'unsigned'));
    expect(denied.refusal?.message).to.include('signature missing').and.include(unsigned.digest);
  });

  it('denies an unsigned image, naming image, policy, authority, every check and the next step', async () => {
    const { refusal } = await scene.createPod(unsigned.ref);
    expect(refusal?.status).to.equal(403);
    expect(refusal?.message)
      .to.match(/^admission webhook "[^"]+" denied the request: validation failed: failed policy: /)
      .and.include('golemtrust-production-policy: spec.containers[0].image')
      .and.include(unsigned.ref)
      .and.include('authority pipeline-signature: signature missing')
      .and.include('slsa-provenance missing')
      .and.include('sbom-cyclonedx missing')
      .and.match(/ Next: .*build the image by the pipeline/);
  });

  it('denies what makes Pods of an unsigned image: Deployment, Job and CronJob, with the path in each', async () => {
    const deployment = deploymentOf('unsigned', unsigned.ref);
    expect(await refusalOf(dryRun(deployment))).to.include('spec.template.spec.containers[0].image');
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'app', image: unsigned.ref }] } };
    const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'job' }, spec: { template } };
    expect(await refusalOf(dryRun(job))).to.include('spec.template.spec.containers[0].image');
    const cron = {
      ...job,
      kind: 'CronJob',
      spec: { schedule: '0 0 * * *', jobTemplate: { spec: { template } } },
    };
    expect(await refusalOf(dryRun(cron))).to.include(
      'spec.jobTemplate.spec.template.spec.containers[0].image',
    );
  });

  it('tells by kubectl apply --dry-run=server what would happen, and leaves nothing behind', async () => {
    expect(await dryRun(deploymentOf('preview', signed.ref))).to.include('created (server dry run)');
    const told = await refusalOf(dryRun(podOf({ image: unsigned.ref, name: 'preview' })));
    expect(told).to.include('signature missing').and.include('golemtrust-production-policy');
    const events = await scene.api.list<KubeObject & { message: string }>(
      `/api/v1/namespaces/${scene.enforced}/events`,
    );
    expect(events.filter(({ message }) => message.includes('preview'))).to.deep.equal([]);
  });

  it('leaves a namespace without the label alone', async () => {
    const free = await scene.namespace('sandbox');
    expect((await scene.createPod(unsigned.ref, free)).refusal).to.equal(undefined);
  });

  it('enforces in a namespace with policy-controller’s label as well', async () => {
    const included = await scene.namespace('included');
    const labels = { ...scene.checked, 'policy.sigstore.dev/include': 'true' };
    await scene.api.mergePatch(`/api/v1/namespaces/${included}`, { metadata: { labels } });
    // The API server chooses webhooks by labels that it knows from a watch.
    const refusal = await waitFor(async () => (await scene.createPod(unsigned.ref, included)).refusal, {
      what: 'the label being heeded',
      timeoutMs: 30_000,
    });
    expect(refusal.message).to.include('signature missing');
    expect((await scene.createPod(signed.ref, included)).refusal).to.equal(undefined);
  });

  it('sends the denial to Graylog as kyverno-admission, with fields to search by', async () => {
    const image = await scene.push();
    await scene.createPod({ image: image.ref, name: 'for-graylog' });
    const message = await gelf.waitFor('the denial at Graylog', ({ _digest }) => _digest === image.digest);
    expect(message).to.include({
      version: '1.1',
      host: 'kyverno-admission',
      _decision: 'denied',
      _namespace: scene.enforced,
      _kind: 'Pod',
      _name: 'for-graylog',
      _image: image.ref,
      _policy: 'golemtrust-production-policy',
      _check: 'signature',
    });
    expect(message['_user']).to.be.a('string').that.is.not.empty;
    expect(message['short_message']).to.include('denied').and.to.have.length.lessThan(300);
    expect(message['full_message']).to.include('slsa-provenance').and.include('sbom-cyclonedx');
  });

  it('tells of the denial by an Event in the namespace', async () => {
    const image = await scene.push();
    await scene.createPod({ image: image.ref, name: 'for-events' });
    const event = await waitFor(
      async () => {
        const events = await scene.api.list<KubeObject & { reason: string; message: string; type: string }>(
          `/api/v1/namespaces/${scene.enforced}/events`,
        );
        return events.find(({ message }) => message.includes(image.digest));
      },
      { what: 'the Event of the denial', timeoutMs: 30_000 },
    );
    expect(event).to.include({ reason: 'ImageDenied', type: 'Warning' });
    expect(event.message).to.include('golemtrust-production-policy').and.include('signature missing');
  });

  it('counts decisions by policy and reason', async () => {
    const metrics = await scene.webhook.metrics();
    expect(metrics).to.match(
      /chainwright_admission_\w*decisions\w*\{[^}]*golemtrust-production-policy[^}]*\} [1-9]/,
    );
    expect(metrics).to.include('chainwright_admission_');
  });

  it('tells when it last heard of what it watches', async () => {
    const metrics = await scene.webhook.metrics();
    for (const resource of ['clusterimagepolicies', 'trustroots', 'secrets', 'configmaps']) {
      expect(metrics).to.include(`chainwright_informer_last_sync_timestamp_seconds{resource="${resource}"} `);
    }
  });
});
