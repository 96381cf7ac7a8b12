import { expect } from 'chai';
import { kubectl } from '../../hack/stack/stack.ts';
import { openAdmissionScene } from '../support/admission-scene.ts';
import type { AdmissionScene } from '../support/admission-scene.ts';
import type { PushedImage } from '../support/images.ts';
import type { KubeObject, WriteOutcome } from '../support/kube-api.ts';
import { installReports, removeReports, reportsPath } from '../support/report-kinds.ts';
import type { Report } from '../support/report-kinds.ts';
import { createRunningPod } from '../support/running-scene.ts';
import { waitFor } from '../support/waiting.ts';

interface Exception extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly status: string; readonly reason: string }[] };
}

interface Event extends KubeObject {
  readonly reason: string;
  readonly message: string;
}

describe('exceptions from a policy', function () {
  let scene: AdmissionScene;
  let unsigned: PushedImage;

  before(async () => {
    await installReports('policyreports');
    scene = await openAdmissionScene('exceptions', {
      settings: { scan: { interval: '10m', workloadsPerSecond: 100 } },
      settingsFor: (enforced) => ({
        exceptions: { enabled: true, namespaces: [enforced], maxDuration: '1h' },
      }),
    });
    unsigned = await scene.push();
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
    await removeReports('policyreports');
  });

  const pathOf = (namespace: string): string =>
    `/apis/chainwright.dev/v1alpha1/namespaces/${namespace}/imagepolicyexceptions`;
  const apply = (
    name: string,
    {
      seconds = 600,
      namespace = scene.enforced,
      ...spec
    }: { seconds?: number; namespace?: string; image?: string } = {},
  ): Promise<WriteOutcome> =>
    scene.api.attempt((api) =>
      api.create(pathOf(namespace), {
        ...{ apiVersion: 'chainwright.dev/v1alpha1', kind: 'ImagePolicyException' },
        metadata: { name, labels: scene.checked },
        spec: {
          ...{ policy: scene.policy, image: unsigned.ref, reason: 'the pipeline was down last night' },
          ...{ requestedBy: 'angua', approvedBy: 'sam.vimes' },
          expiresAt: new Date(Date.now() + seconds * 1000).toISOString(),
          ...spec,
        },
      }),
    );
  const untilReason = (name: string, reason: string): Promise<Exception> =>
    waitFor(
      async () => {
        const found = await scene.api.get<Exception>(`${pathOf(scene.enforced)}/${name}`);
        return found.status?.conditions?.[0]?.reason === reason ? found : undefined;
      },
      { what: `${name} being ${reason}`, timeoutMs: 60_000 },
    );
  const untilReported = (pod: string, verdict: string): Promise<Report> =>
    waitFor(
      async () => {
        const reports = await scene.api.list<Report>(reportsPath('policyreports', scene.enforced));
        const found = reports.find(({ scope }) => scope.name === pod);
        return found?.metadata.annotations?.['chainwright.dev/verdict'] === verdict ? found : undefined;
      },
      { what: `the report on ${pod} being ${verdict}`, timeoutMs: 60_000 },
    );

  it('are refused when they are written, with the setting that forbids them', async () => {
    const builds = await scene.namespace('elsewhere');
    expect((await apply('else', { namespace: builds })).refusal?.message).to.include('exceptions.namespaces');
    expect((await apply('long', { seconds: 7200 })).refusal?.message).to.include('exceptions.maxDuration');
    const glob = await apply('wide', { image: `${scene.repository}**` });
    expect(glob.refusal?.message).to.include('exceptions.digestOnly');
    expect((await apply('past', { seconds: -5 })).refusal?.message).to.include('is past');
  });

  it('let in what they name until they end, by the door and in the report, and each use is told', async () => {
    expect((await scene.createPod(unsigned.ref)).refusal?.status).to.equal(403);
    expect((await apply('night')).refusal).to.equal(undefined);
    await untilReason('night', 'InForce');
    const shown = await kubectl(['get', 'ipe', 'night', '-n', scene.enforced, '--no-headers']);
    expect(shown.split(/\s+/)).to.include.members(['night', scene.policy, 'True', 'InForce', 'sam.vimes']);
    await createRunningPod(scene, scene.enforced, {
      name: 'let-in',
      image: unsigned.ref,
      runs: unsigned.ref,
    });
    const { results } = await untilReported('let-in', 'warned');
    expect(results.map(({ result }) => result))
      .to.include('skip')
      .and.not.include('fail');
    expect(results.find(({ result }) => result === 'skip')?.properties).to.include({
      exception: `${scene.enforced}/night`,
      exceptionReason: 'the pipeline was down last night',
    });
    expect((await scene.createPod((await scene.push()).ref)).refusal?.status, 'another image').to.equal(403);
    const used = await waitFor(
      async () => {
        const events = await scene.api.list<Event>(`/api/v1/namespaces/${scene.enforced}/events`);
        return events.find(({ reason }) => reason === 'ExceptionUsed');
      },
      { what: 'the use being told', timeoutMs: 30_000 },
    );
    expect(used).to.have.nested.property('involvedObject.name', 'night');
    expect(used.message).to.include('Pod let-in').and.include(scene.policy);
    expect(await scene.webhook.metrics()).to.include(
      `chainwright_admission_exceptions_total{policy="${scene.policy}"} 1`,
    );

    // Its end is set only now, so that all the above is seen before it, however long that takes.
    const endsMs = Date.now() + 10_000;
    await scene.api.mergePatch(`${pathOf(scene.enforced)}/night`, {
      spec: { expiresAt: new Date(endsMs).toISOString() },
    });
    await untilReason('night', 'Expired');
    expect(Date.now()).to.be.at.least(endsMs);
    expect((await scene.createPod(unsigned.ref)).refusal?.status).to.equal(403);
    expect((await untilReported('let-in', 'denied')).summary.fail).to.be.above(0);
  });

  it('count for nothing where the policy forbids them', async () => {
    expect((await apply('again')).refusal).to.equal(undefined);
    await untilReason('again', 'InForce');
    const path = `/apis/policy.sigstore.dev/v1alpha1/clusterimagepolicies/${scene.policy}`;
    await scene.api.mergePatch(path, {
      metadata: { annotations: { 'policy.chainwright.dev/exceptions': 'forbidden' } },
    });
    await untilReason('again', 'Forbidden');
    expect((await scene.createPod({ image: unsigned.ref, dryRun: true })).refusal?.status).to.equal(403);
  });
});
