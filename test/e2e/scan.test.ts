import { expect } from 'chai';
import type { ImpactReport } from '../../src/commands/policy/impact/impact-report.ts';
import { isFullRun } from '../support/full-run.ts';
import type { KubeObject } from '../support/kube-api.ts';
import { installReports, removeReports, reportsPath } from '../support/report-kinds.ts';
import type { Report } from '../support/report-kinds.ts';
import { createRunningPod, isAdmitted, openRunningScene } from '../support/running-scene.ts';
import type { RunningCase, RunningScene } from '../support/running-scene.ts';
import { trustRootObject, trustRootsPath } from '../support/trust-root.ts';
import { waitFor } from '../support/waiting.ts';
import type { WebhookProcess } from '../support/webhook-process.ts';

const count = isFullRun ? 200 : 28;

describe('what already runs when a policy comes', function () {
  this.timeout(480_000);
  let scene: RunningScene;
  let unused = 0;

  before(async () => {
    await installReports('policyreports');
    scene = await openRunningScene('scan', {
      pods: count,
      settings: { scan: { interval: '10m', workloadsPerSecond: 200, evidencePerSecond: 100 } },
    });
  }).timeout(480_000);

  after(async () => {
    await scene[Symbol.asyncDispose]();
    await removeReports('policyreports');
  });

  const reports = (): Promise<readonly Report[]> =>
    scene.admission.api.list<Report>(reportsPath('policyreports', scene.namespace));

  /** Waits until every Pod's report says what is expected; gives the reports by Pod. */
  const untilReported = async (
    expected: (pod: RunningCase) => string,
    what: string,
  ): Promise<ReadonlyMap<string, Report>> =>
    waitFor(
      async () => {
        const byPod = new Map((await reports()).map((report) => [report.scope.name, report]));
        const verdicts = scene.pods.map(({ name }) => verdictOf(byPod.get(name)));
        const wanted = scene.pods.map(expected);
        return verdicts.every((verdict, index) => verdict === wanted[index]) ? byPod : undefined;
      },
      { what: `${what} in every report`, timeoutMs: 120_000, pollMs: 250 },
    );

  /** What the door says of a Pod that runs the same, tried without a trace. */
  const doorSays = async ({ runs }: RunningCase): Promise<'denied' | 'let in'> => {
    const { refusal } = await scene.admission.createPod({ image: runs, dryRun: true }, scene.namespace);
    return refusal === undefined ? 'let in' : 'denied';
  };

  const tellRequests = (what: string): number => {
    const requests = scene.front.requests() - unused;
    unused = scene.front.requests();
    console.log(`      ${what}: ${requests} requests to the registry for ${count} Pods of 7 images`);
    return requests;
  };

  it('is denied by nothing yet that is about it: no policy matches', async () => {
    await untilReported(() => 'denied', 'that no policy matches');
    expect(tellRequests('no policy'), 'what no policy is about is not looked at').to.equal(0);
  });

  /** What the command says would become of each Pod, and what else it found. */
  const expectImpact = async (what: string, ...args: string[]): Promise<ImpactReport> => {
    const report = await scene.impact(...args);
    const verdicts = new Map(report.pods.map(({ name, outcome }) => [name, outcome]));
    const wanted = scene.pods.map(
      ({ name, evidence }) => [name, isAdmitted[evidence] ? 'admitted' : 'denied'] as const,
    );
    expect([...verdicts].sort()).to.deep.equal(wanted.toSorted());
    const requests = tellRequests(what);
    expect(report.registryRequests, 'counted by the command itself').to.be.at.least(requests);
    expect(requests).to.be.below(7 * 25);
    return report;
  };

  it('impact, before the policy is there: every Pod that lacks something, with the check and what to do', async () => {
    const { policies, safety, findings, totals } = await expectImpact('impact');
    expect(policies[0]).to.include({ name: scene.policy, mode: 'warn' }).and.not.have.property('inCluster');
    expect(safety.verdict).to.equal('unsafe');
    expect([totals.pods, totals.images]).to.deep.equal([count, 7]);
    const row = findings.find(({ owner }) => owner.name === 'pod-4-no-sbom');
    expect(row).to.include({ outcome: 'denied', today: 'denied', pods: 1 });
    expect(row?.unmet.map(({ check, outcome }) => `${check} ${outcome}`)).to.deep.equal([
      'sbom-cyclonedx missing',
    ]);
    expect(row?.nextStep).to.include('attest sbom-cyclonedx');
  });

  it('under warn: reports warn of exactly those Pods that lack something, and nobody is kept out', async () => {
    await scene.applyPolicy('warn');
    const byPod = await untilReported(
      ({ evidence }) => (isAdmitted[evidence] ? 'admitted' : 'warned'),
      'warn',
    );
    expect(tellRequests('warn')).to.be.below(7 * 25);
    for (const pod of scene.pods.slice(0, 14)) expect(await doorSays(pod), pod.name).to.equal('let in');
    await untilTold('pod-2-unsigned', 'RunningImageWarned');
    unused = scene.front.requests();
    const { past = [], policies, findings } = await expectImpact('impact under warn', '--events');
    expect(policies[0]?.inCluster).to.include({ mode: 'warn', isSame: true }).and.have.property('since');
    expect(new Set(findings.map(({ today }) => today))).to.deep.equal(new Set(['admitted', 'warned']));
    expect(past.find(({ object }) => object === 'Pod pod-2-unsigned')).to.include({
      ...{ reason: 'RunningImageWarned', then: 'denied', namespace: scene.namespace },
    });
    const report = byPod.get('pod-5-other-builder');
    const provenance = report?.results.find(({ rule }) => rule === 'pipeline-signature/slsa-provenance');
    expect(provenance).to.include({ source: 'chainwright', policy: scene.policy, result: 'warn' });
    expect(provenance?.message).to.include('builder.example.com');
    expect(provenance?.properties).to.include({ mode: 'warn', judgedAs: 'Pod', pods: '1' });
    expect(report?.summary).to.deep.equal({ pass: 2, fail: 0, warn: 1, error: 0, skip: 0 });
    expect(report?.metadata).to.have.nested.property('ownerReferences[0].name', 'pod-5-other-builder');
  });

  it('enforced: scan, reports and webhook agree on every Pod, tags that moved included', async () => {
    await scene.applyPolicy('enforce');
    await untilReported(({ evidence }) => (isAdmitted[evidence] ? 'admitted' : 'denied'), 'enforce');
    tellRequests('enforce');
    for (const pod of scene.pods) {
      expect(await doorSays(pod), pod.name).to.equal(isAdmitted[pod.evidence] ? 'let in' : 'denied');
    }
    const atDoor = tellRequests('the door, asked about all of them again');
    expect(atDoor).to.be.below(7 * 25);
    const { policies } = await expectImpact('impact once enforced');
    const edited = policies[0]?.inCluster;
    expect(edited).to.include({ mode: 'enforce', isSame: true }).and.have.property('since');
    const denied = scene.pods.filter(({ evidence }) => !isAdmitted[evidence]).length;
    const metrics = await scene.admission.webhook.metrics();
    expect(metrics)
      .to.include(`chainwright_scan_pods{policy="${scene.policy}",verdict="denied"} ${denied}`)
      .and.include(`chainwright_scan_pods{policy="${scene.policy}",verdict="admitted"} ${count - denied}`);
    await untilTold('pod-2-unsigned', 'RunningImageDenied');
  });

  it('two replicas share the work, and what a killed one had is judged on by the other', async () => {
    const first = scene.admission.webhook;
    const shareOf = async (replica: WebhookProcess): Promise<number> =>
      Number(/^chainwright_scan_buckets (\d+)$/m.exec(await replica.metrics())?.[1]);
    const all = await shareOf(first);
    await using second = await scene.admission.anotherWebhook();
    const shares = await waitFor(
      async () => {
        const found = [await shareOf(first), await shareOf(second)];
        return found.every((share) => share > 0) && sum(found) === all ? found : undefined;
      },
      { what: 'shares of both replicas', timeoutMs: 60_000 },
    );
    unused = scene.front.requests();
    await scene.applyPolicy('warn');
    await untilReported(({ evidence }) => (isAdmitted[evidence] ? 'admitted' : 'warned'), 'warn by two');
    tellRequests('warn, by two replicas');
    await second.kill();
    const killedAt = performance.now();
    await waitFor(async () => ((await shareOf(first)) === all ? true : undefined), {
      what: 'the shares of the killed replica',
      timeoutMs: 60_000,
    });
    const seconds = ((performance.now() - killedAt) / 1000).toFixed(1);
    console.log(`      shared ${shares.join(' and ')}; taken over after ${seconds} s`);
    await scene.applyPolicy('enforce');
    await untilReported(({ evidence }) => (isAdmitted[evidence] ? 'admitted' : 'denied'), 'enforce by one');
    unused = scene.front.requests();
  });

  it('a rotated trust root turns the verdicts of those alone that rested on what it lost, and back', async () => {
    const { admission } = scene;
    const path = `${trustRootsPath}/${admission.trustRoot}`;
    const whole = (await trustRootObject(admission.stack, admission.trustRoot)) as TrustRoot;
    const { tLogs } = whole.spec.sigstoreKeys;
    const left = tLogs.filter(({ baseURL }) => !baseURL.includes('rekor2'));
    expect(left).to.have.length(tLogs.length - 1);
    await admission.api.mergePatch(path, { spec: { sigstoreKeys: { tLogs: left } } });
    await untilReported(({ evidence }) => (evidence === 'complete' ? 'admitted' : 'denied'), 'the lost log');
    tellRequests('trust root without the second log');
    for (const pod of scene.pods.slice(0, 7)) {
      expect(await doorSays(pod), pod.name).to.equal(pod.evidence === 'complete' ? 'let in' : 'denied');
    }
    await admission.api.mergePatch(path, { spec: { sigstoreKeys: { tLogs } } });
    await untilReported(({ evidence }) => (isAdmitted[evidence] ? 'admitted' : 'denied'), 'the log');
    tellRequests('trust root as it was');
    await untilTold('pod-1-second-log', 'RunningImageDenied', 'RunningImageAdmitted');
  });

  it('Pods of a Deployment are reported on as one, with its template', async () => {
    const { admission, namespace } = scene;
    const [good] = scene.pods;
    const labels = { app: 'web', 'pod-template-hash': 'abc12' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: good?.runs }] } };
    const spec = { selector: { matchLabels: { app: 'web' } }, template };
    const apps = `/apis/apps/v1/namespaces/${namespace}`;
    await admission.api.create(`${apps}/deployments`, { metadata: { name: 'web' }, spec });
    const set = await admission.api.create(`${apps}/replicasets`, {
      ...{ metadata: { name: 'web-abc12' }, spec },
    });
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-abc12', uid: set.metadata.uid };
    for (const name of ['web-abc12-1', 'web-abc12-2']) {
      const metadata = { labels, ownerReferences: [{ ...owner, controller: true }] };
      const image = good?.runs ?? '';
      await createRunningPod(admission, namespace, { name, image, runs: image, metadata });
    }
    const report = await waitFor(
      async () => {
        const found = (await reports()).find(({ scope }) => scope.kind === 'Deployment');
        return found?.results.some(({ properties }) => properties['pods'] === '2') === true
          ? found
          : undefined;
      },
      { what: 'a report on the Deployment', timeoutMs: 60_000 },
    );
    expect(report.scope).to.include({ kind: 'Deployment', name: 'web' });
    expect(report.results.map(({ properties }) => properties['judgedAs'])).to.include.members([
      'Pod',
      'Deployment',
    ]);
    expect(verdictOf(report)).to.equal('admitted');
  });

  it('OpenReports get theirs as soon as their CRD is there, and nothing happens when it goes', async () => {
    await installReports('reports');
    try {
      const found = await waitFor(
        async () => {
          const all = await scene.admission.api.list<Report>(reportsPath('reports', scene.namespace));
          return all.length >= count ? all : undefined;
        },
        { what: 'the same in the other kind', timeoutMs: 180_000, pollMs: 500 },
      );
      expect(found[0]).to.include({ kind: 'Report', source: 'chainwright' });
      expect(Object.keys(found[0] ?? {})).to.include.members(['scope', 'summary', 'results']);
    } finally {
      await removeReports('reports');
    }
    const [pod] = scene.pods;
    expect(pod && (await doorSays(pod))).to.equal('let in');
  });

  /** Waits for Events on a Pod: they are written after its report. */
  const untilTold = async (name: string, ...reasons: readonly string[]): Promise<void> => {
    const path = `/api/v1/namespaces/${scene.namespace}/events?fieldSelector=involvedObject.name=${name}`;
    await waitFor(
      async () => {
        const told = (await scene.admission.api.list<Event>(path)).map(({ reason }) => reason);
        return reasons.every((reason) => told.includes(reason)) ? true : undefined;
      },
      { what: `Events ${reasons.join(', ')} on ${name}`, timeoutMs: 30_000 },
    );
  };
});

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

interface Event extends KubeObject {
  readonly reason: string;
}

interface TrustRoot extends KubeObject {
  readonly spec: { readonly sigstoreKeys: { readonly tLogs: readonly { readonly baseURL: string }[] } };
}

function verdictOf(report: Report | undefined): string | undefined {
  return report?.metadata.annotations?.['chainwright.dev/verdict'];
}
