import { expect } from 'chai';
import type { KubeClient } from '../../../../src/kube/kube-client.ts';
import { AppError } from '../../../../src/model/errors.ts';
import type { PoliciesInForce } from '../../../../src/policy/policy-register.ts';
import { toRunningPod } from '../../../../src/reconcilers/scan/running-pod.ts';
import type { JudgeRunning } from '../../../../src/reconcilers/scan/scan-verdict.ts';
import { judgeWorkload } from '../../../../src/reconcilers/scan/workload-judging.ts';
import { soon } from '../../registry/sample-images.ts';

/** A policy to which no two Pods are the same: it looks at the whole object. */
const inForce = {
  rules: { noMatch: 'deny' },
  policies: [{ version: '1', compiled: { match: [], whole: { includes: { includeSpec: true } } } }],
} as unknown as PoliciesInForce;

const pods = Array.from({ length: 200 }, (_, index) => {
  const metadata = { name: `web-${index}`, namespace: 'ns', uid: `uid-${index}` };
  const spec = { containers: [{ name: 'app', image: `r.example/app@sha256:${'1'.repeat(64)}` }] };
  return toRunningPod({ apiVersion: 'v1', kind: 'Pod', metadata, spec }, { keepsImages: true });
});

describe('judging a workload', () => {
  it('judges no more than eight of its Pods at once, and all of them in the end', async () => {
    let [underWay, most] = [0, 0];
    const judge: JudgeRunning = async ({ image }) => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      return { image, outcome: 'admitted', brief: '', decisions: [] };
    };
    const client: Pick<KubeClient, 'get'> = { get: () => Promise.resolve(pods[0] as never) };
    const { findings, ofPods } = await judgeWorkload(
      { namespace: 'ns', pods, inForce },
      { client, judge },
      soon(),
    );
    expect([findings.length, ofPods.length, most]).to.deep.equal([200, 200, 8]);
  });

  it('leaves alone what waits once the API server fails', async () => {
    let asked = 0;
    const get = (): Promise<never> => {
      asked += 1;
      return Promise.reject(new AppError('ERR_KUBE_UNREACHABLE', 'gone', { kind: 'passing', remedy: '' }));
    };
    const judge: JudgeRunning = () => Promise.reject(new Error('not asked'));
    const work = judgeWorkload({ namespace: 'ns', pods, inForce }, { client: { get }, judge }, soon());
    expect(await work.catch((error: unknown) => (error as AppError).code)).to.equal('ERR_KUBE_UNREACHABLE');
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).to.be.below(20);
  });
});
