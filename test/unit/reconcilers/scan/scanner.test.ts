import { expect } from 'chai';
import { resourceTypes } from '../../../../src/kube/resource-type.ts';
import type { ResourceType } from '../../../../src/kube/resource-type.ts';
import { silentLog } from '../../../../src/model/log.ts';
import type { JudgeRunning } from '../../../../src/reconcilers/scan/scan-verdict.ts';
import { Scanner } from '../../../../src/reconcilers/scan/scanner.ts';
import { scanSchema } from '../../../../src/settings/scan-schema.ts';
import { VirtualClock } from '../../kube/virtual-clock.ts';
import { ScanCluster } from './scan-cluster.ts';

const { pods, namespaces, statefulSets, policyReports, openReports } = resourceTypes;
const enforced = { 'policy.sigstore.dev/include': 'true' };
const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'db-uid', controller: true };
const judge: JudgeRunning = ({ image }) =>
  Promise.resolve({ image, outcome: 'denied', brief: 'no', decisions: [] });

describe('the scanner and its reports', () => {
  let cluster: ScanCluster;
  let clock: VirtualClock;
  let ending: AbortController;
  let running: Promise<void>[];

  beforeEach(() => {
    cluster = new ScanCluster();
    clock = new VirtualClock();
    ending = new AbortController();
    running = [];
    cluster.put(namespaces, { metadata: { name: 'shop', labels: enforced } });
  });

  afterEach(async () => {
    ending.abort(new DOMException('the test is over', 'AbortError'));
    for (let left = 0; left < 20; left += 1) await clock.advance(1000);
    await Promise.all(running);
  });

  const start = async (settings: object = {}): Promise<Scanner> => {
    const scanner = new Scanner({
      ...{ client: cluster, namespace: 'tekton-chains', webhookName: 'chainwright', identity: 'me' },
      settings: scanSchema.parse({ buckets: 1, ...settings }),
      register: {
        inForce: { policies: [], rules: { noMatch: 'deny' } },
        onChange: () => () => undefined,
      },
      exceptions: { onChange: () => () => undefined },
      events: { record: () => undefined },
      metrics: {
        ...{ workloadScanned: () => undefined, reportWritten: () => undefined, watchScan: () => undefined },
      },
      ...{ judge, clock, log: silentLog, random: () => 0.5 },
    });
    running.push(scanner.run({ signal: ending.signal }));
    await clock.advance(20_000);
    return scanner;
  };
  const putPod = (name: string, owned = false): void => {
    const ownerReferences = owned ? [owner] : [];
    const spec = { containers: [{ name: 'app', image: `r.example/app@sha256:${'1'.repeat(64)}` }] };
    cluster.put(pods, { metadata: { name, namespace: 'shop', uid: `${name}-uid`, ownerReferences }, spec });
  };
  const removePod = (name: string): void => {
    cluster.remove(pods, { namespace: 'shop', name });
  };
  const putReport = (type: ResourceType, uid: string): void => {
    const labels = { 'app.kubernetes.io/managed-by': 'chainwright' };
    cluster.put(type, { metadata: { name: `chainwright-${uid}`, namespace: 'shop', labels } });
  };
  const hasReport = (uid: string, type: ResourceType = policyReports): boolean =>
    cluster.find(type, { namespace: 'shop', name: `chainwright-${uid}` }) !== undefined;
  const countOf = (verb: string, object: string): number =>
    cluster.calls.filter((call) => call.verb === verb && call.object.startsWith(object)).length;

  it('go once no Pod of a workload runs any more, and not while one is made anew', async () => {
    cluster.put(statefulSets, { metadata: { name: 'db', namespace: 'shop', uid: 'db-uid' } });
    putPod('db-0', true);
    await start();
    expect(hasReport('db-uid')).to.equal(true);
    removePod('db-0');
    await clock.advance(5000);
    putPod('db-0', true);
    await clock.advance(60_000);
    expect(hasReport('db-uid'), 'of a Pod that was made anew').to.equal(true);
    expect(countOf('delete', 'policyreports')).to.equal(0);
    removePod('db-0');
    await clock.advance(60_000);
    expect(hasReport('db-uid'), 'of what is scaled to nothing').to.equal(false);
  });

  it('are not written for Pods beyond maxPods, and an old one goes', async () => {
    putPod('a');
    putPod('b');
    putReport(policyReports, 'b-uid');
    const scanner = await start({ maxPods: 1 });
    await clock.advance(60_000);
    expect([hasReport('a-uid'), hasReport('b-uid')]).to.deep.equal([true, false]);
    expect(scanner.state()).to.include({ workloads: 1, skippedPods: 1 });
  });

  it('go with a namespace that was left while nobody looked, by one list for all its workloads', async () => {
    cluster.put(namespaces, { metadata: { name: 'shop', labels: {} } });
    for (const name of ['a', 'b', 'c']) {
      putPod(name);
      putReport(policyReports, `${name}-uid`);
    }
    await start();
    expect(['a-uid', 'b-uid', 'c-uid'].filter((uid) => hasReport(uid))).to.deep.equal([]);
    expect(countOf('list', 'policyreports shop')).to.equal(1);
    putPod('d');
    await clock.advance(10_000);
    expect(countOf('list', 'policyreports shop'), 'nothing new is there').to.equal(1);
  });

  it('go with a namespace that is left, each time', async () => {
    putPod('a');
    await start();
    for (const _ of [1, 2]) {
      expect(hasReport('a-uid')).to.equal(true);
      cluster.put(namespaces, { metadata: { name: 'shop', labels: {} } });
      await clock.advance(10_000);
      expect(hasReport('a-uid')).to.equal(false);
      cluster.put(namespaces, { metadata: { name: 'shop', labels: enforced } });
      await clock.advance(10_000);
    }
  });

  it('go where their kind is wanted no more, once the API server lets them', async () => {
    putPod('a');
    putReport(openReports, 'a-uid');
    cluster.isKeeping = true;
    await start({ reports: ['wgpolicyk8s.io'] });
    expect([hasReport('a-uid'), hasReport('a-uid', openReports)]).to.deep.equal([true, true]);
    cluster.isKeeping = false;
    await clock.advance(60_000);
    expect([hasReport('a-uid'), hasReport('a-uid', openReports)]).to.deep.equal([true, false]);
  });
});
