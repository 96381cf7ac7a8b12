import { expect } from 'chai';
import { markup } from '../../../../src/commands/html/markup.ts';
import { judgeImpact } from '../../../../src/commands/policy/impact/impact-rows.ts';
import { countImpact, unmetChecks } from '../../../../src/commands/policy/impact/impact-report.ts';
import type { AskedPolicy } from '../../../../src/commands/policy/impact/impact-report.ts';
import { judgeSafety } from '../../../../src/commands/policy/impact/impact-safety.ts';
import { renderImpact } from '../../../../src/commands/policy/impact/impact-page.ts';
import { formatImpact } from '../../../../src/commands/policy/impact/impact-text.ts';
import { judgePast, readPast } from '../../../../src/commands/policy/impact/past-decisions.ts';
import type { PastDecision } from '../../../../src/commands/policy/impact/past-decisions.ts';
import type { KubeObject } from '../../../../src/kube/kube-object.ts';
import type { PoliciesInForce } from '../../../../src/policy/policy-register.ts';
import { toRunningPod } from '../../../../src/reconcilers/scan/running-pod.ts';
import type { JudgeRunning } from '../../../../src/reconcilers/scan/scan-verdict.ts';
import { impactReport, impactRow } from '../../../support/sample-impact.ts';
import { soon } from '../../registry/sample-images.ts';

const asked: AskedPolicy = {
  ...{ name: 'production', mode: 'warn', evaluation: 'strict', images: ['**'] },
  inCluster: { mode: 'warn', isSame: true, since: '2026-03-01T00:00:00.000Z' },
};
const good = countImpact([impactRow({ outcome: 'admitted' })], []);
const since = new Date('2026-03-02T00:00:00Z');
const quiet = { past: [], isCut: false, since };
const told: PastDecision = {
  ...{ at: '2026-03-03T00:00:00Z', times: 1, namespace: 'shop', object: 'Pod a', reason: 'ImageWarned' },
  ...{ policies: ['production'], message: '' },
};

describe('whether policies are safe to enforce', () => {
  it('not where a workload would be denied, or nothing is known of it', () => {
    const { verdict, reasons } = judgeSafety([asked], countImpact([impactRow()], []), quiet);
    expect([verdict, ...reasons]).to.deep.equal(['unsafe', '1 workload would be denied.']);
    const unknown = countImpact([impactRow({ outcome: 'unknown' })], []);
    expect(judgeSafety([asked], unknown, quiet).verdict).to.equal('unsafe');
  });

  it('not proven where the policy is not in the cluster, or nobody looked at what was told', () => {
    const { inCluster: _, ...absent } = asked;
    expect(judgeSafety([absent], good, quiet).reasons.join(' ')).to.include('mode: warn first');
    expect(judgeSafety([asked], good).reasons.join(' ')).to.include('--events');
  });

  it('safe where nothing was told, since the later of the policy and the first look', () => {
    const { verdict, quietSince } = judgeSafety([asked], good, quiet);
    expect([verdict, quietSince]).to.deep.equal(['safe', '2026-03-02T00:00:00.000Z']);
    const young = {
      ...asked,
      inCluster: { mode: 'warn', isSame: true, since: '2026-03-05T00:00:00Z' },
    } as const;
    const later = judgeSafety([young], good, quiet);
    expect(later.quietSince).to.equal('2026-03-05T00:00:00.000Z');
  });

  it('not proven after a warning by that policy, or of what it would deny; another policy’s does not matter', () => {
    const other = { ...told, policies: ['other'] };
    const verdicts = [told, other, { ...other, then: 'denied' } as const].map((one) => {
      return judgeSafety([asked], good, { ...quiet, past: [one] }).verdict;
    });
    expect(verdicts).to.deep.equal(['watch', 'safe', 'watch']);
  });
});

describe('whether policies were tried as they are', () => {
  const withVersion = (version: AskedPolicy['inCluster'] & object): AskedPolicy => ({
    ...{ ...asked, inCluster: version },
  });

  it('not where the cluster has another version of one of them', () => {
    const other = withVersion({ mode: 'warn', isSame: false, since: '2026-03-01T00:00:00Z' });
    const { verdict, reasons, quietSince } = judgeSafety([asked, { ...other, name: 'b' }], good, quiet);
    expect([verdict, quietSince]).to.deep.equal(['watch', undefined]);
    expect(reasons[1]).to.include('b: the cluster has another version');
  });

  it('not where nobody knows since when the cluster has it', () => {
    const { verdict, reasons } = judgeSafety([withVersion({ mode: 'warn', isSame: true })], good, quiet);
    expect(verdict).to.equal('watch');
    expect(reasons[1]).to.include('does not tell since when');
  });

  it('not proven where there were more Events than are read, as the report says in each form', () => {
    const cut = { ...quiet, isCut: true };
    for (const past of [[], [told]]) {
      const safety = judgeSafety([asked], good, { ...cut, past });
      expect([safety.verdict, safety.quietSince]).to.deep.equal(['watch', undefined]);
      const report = impactReport([], { safety, past });
      for (const text of [formatImpact(report), renderImpact(report), JSON.stringify(report)]) {
        expect(text).to.include('more Events than are looked at');
      }
    }
    expect(judgeSafety([asked], countImpact([impactRow()], []), cut).reasons.join(' ')).to.include(
      'more Events than are looked at',
    );
  });

  it('the page says which version the cluster has', () => {
    const policies = [withVersion({ mode: 'warn', isSame: false })];
    expect(renderImpact(impactReport([], { policies }))).to.include(
      'another version, since an unknown time with mode warn',
    );
  });
});

describe('the impact on a workload', () => {
  const image = `r.example/app@sha256:${'a'.repeat(64)}`;
  const policies = (version: string): PoliciesInForce =>
    ({ policies: [], rules: { noMatch: version === 'then' ? 'deny' : 'allow' } }) satisfies PoliciesInForce;
  const template = { spec: { containers: [{ image }] } };
  const deployment = {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'app', namespace: 'shop' } },
    spec: { template },
  };
  const pod = (name: string): ReturnType<typeof toRunningPod> => {
    const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', uid: name } };
    return toRunningPod({ ...object, spec: { containers: [{ name: 'a', image }] } }, { keepsImages: true });
  };
  const judge: JudgeRunning = ({ image: wanted, inForce }) => {
    const outcome = inForce.rules.noMatch === 'deny' ? 'denied' : 'admitted';
    const decisions = [{ policy: '', outcome, reason: 'ERR_POLICY_NO_MATCH' } as const];
    return Promise.resolve({ image: wanted, outcome, brief: 'no. Next: Ask.', decisions });
  };
  const client = { get: () => Promise.reject(new Error('not asked')) };

  it('puts Pods and template into one row, with the verdict today, and gives each Pod its own', async () => {
    const workload = { ...{ namespace: 'shop', kind: 'Deployment', name: 'app' }, object: deployment };
    const compared = { today: policies('today'), then: policies('then') };
    const { rows, pods } = await judgeImpact(
      { ...workload, pods: [pod('a'), pod('b')] },
      compared,
      { client, judge },
      soon(),
    );
    expect(rows).to.have.length(1);
    expect(rows[0]).to.deep.include({ outcome: 'denied', today: 'admitted', pods: 2, nextStep: 'Ask.' });
    expect(rows[0]?.judgedAs).to.deep.equal(['Pod', 'Deployment']);
    expect(pods.map(({ name, outcome }) => `${name} ${outcome}`)).to.deep.equal(['a denied', 'b denied']);
    const waiting = await judgeImpact({ ...workload, pods: [] }, compared, { client, judge }, soon());
    expect(waiting.rows.map(({ pods: count, judgedAs }) => [count, judgedAs])).to.deep.equal([
      [0, ['Deployment']],
    ]);
  });
});

describe('the report of an impact', () => {
  it('counts workloads by their worst image', () => {
    const rows = [
      impactRow(),
      impactRow({ image: 'b', digest: 'b', outcome: 'admitted' }),
      impactRow({ owner: { kind: 'Pod', name: 'x' }, today: 'denied' }),
      impactRow({ owner: { kind: 'Pod', name: 'y' }, outcome: 'excepted' }),
    ];
    expect(countImpact(rows, [])).to.deep.include({
      ...{ workloads: 4 - 1, images: 2, workloadsDenied: 2, workloadsNewlyDenied: 1, workloadsExcepted: 1 },
    });
  });

  it('names every check of authorities that do not vouch, and none where one does', () => {
    const check = { check: 'sbom', outcome: 'missing', evidence: [], reasons: [] } as const;
    const authority = { authority: 'a', kind: 'keyless', passed: false, checks: [check] } as const;
    const policy = {
      policy: 'p',
      mode: 'enforce',
      evaluation: 'strict',
      passed: false,
      reasons: [],
    } as const;
    const unmet = unmetChecks({ policies: [{ ...policy, authorities: [authority] }], reasons: [] });
    expect(unmet.map((one) => `${one.policy} ${one.authority}/${one.check} ${one.outcome}`)).to.deep.equal([
      'p a/sbom missing',
    ]);
    const vouching = { ...authority, passed: true, checks: [] };
    const whole = { ...policy, authorities: [authority, vouching] };
    expect(unmetChecks({ policies: [whole], reasons: [] })).to.deep.equal([]);
  });

  it('tells a terminal nothing that it would act on', () => {
    const text = formatImpact(impactReport([impactRow({ owner: { kind: 'Pod', name: '\u001b[2J' } })]));
    expect(text).to.include('NOT SAFE').and.include('pipeline-signature/sbom-cyclonedx missing');
    expect(text).to.include('asked 41 times').and.not.include('\u001b');
  });
});

describe('what was told before', () => {
  const event = (message: string, at: string, namespace = 'shop'): KubeObject => ({
    ...{
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e', namespace },
      reason: 'ImageDenied',
      count: 3,
    },
    ...{ involvedObject: { kind: 'Pod', name: 'a' }, message, lastTimestamp: at },
  });

  it('is read from Events of the time and namespaces that are meant, with image and policies', async () => {
    const image = `r.example:5000/app@sha256:${'b'.repeat(64)}`;
    const message = `Pod a: failed policy: production: spec.containers[0].image: ${image}: authority x`;
    const items = [
      event(message, '2026-03-03T00:00:00Z'),
      event('old', '2026-02-01T00:00:00Z'),
      event('elsewhere', '2026-03-03T00:00:00Z', 'other'),
    ];
    const listed: string[] = [];
    const client = {
      listPages: async function* (
        _: unknown,
        { fieldSelector = '' }: { fieldSelector?: string | undefined },
      ) {
        listed.push(fieldSelector);
        yield await Promise.resolve({ items: listed.length === 1 ? items : [], resourceVersion: '1' });
      },
    };
    const { past, isCut } = await readPast(client, ['shop'], { since, signal: soon() });
    expect(isCut).to.equal(false);
    expect(listed).to.have.length(4);
    expect(past).to.have.length(1);
    expect(past[0]).to.deep.include({ image, policies: ['production'], times: 3, object: 'Pod a' });
  });

  it('is cut after 5,000 Events, and says so', async () => {
    const items = Array.from({ length: 5001 }, () => event('m', '2026-03-03T00:00:00Z'));
    const client = {
      listPages: async function* () {
        yield await Promise.resolve({ items, resourceVersion: '1' });
      },
    };
    const { isCut } = await readPast(client, ['shop'], { since, signal: soon() });
    expect(isCut).to.equal(true);
  });

  it('is judged for the newest 500 images, and cut where there are more', async () => {
    const judge: JudgeRunning = ({ image }) =>
      Promise.resolve({ image, outcome: 'admitted', brief: '', decisions: [] });
    const pastOf = (count: number): readonly PastDecision[] =>
      Array.from({ length: count }, (_, index) => ({ ...told, policies: [], image: `r.example/${index}` }));
    const inForce: PoliciesInForce = { policies: [], rules: { noMatch: 'allow' } };
    const cuts = [500, 501].map(async (count) => {
      const told = { past: pastOf(count), isCut: false };
      return (await judgePast(told, inForce, { judge, signal: soon() })).isCut;
    });
    expect(await Promise.all(cuts)).to.deep.equal([false, true]);
  });
});

describe('markup', () => {
  it('escapes whatever is put in, and takes markup as it is', () => {
    const inner = markup`<b>${'"<&>\'`'}</b>`;
    expect(markup`<p title="${'" onclick="x'}">${[inner, 3, undefined]}</p>`.toString()).to.equal(
      '<p title="&quot; onclick=&quot;x"><b>&quot;&lt;&amp;&gt;&#39;&#96;</b>3</p>',
    );
    expect(markup`${'\ud800\u202e\u0000'}`.toString()).to.equal('\ufffd\\u202e\\u0000');
  });
});
