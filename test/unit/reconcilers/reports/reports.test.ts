import { expect } from 'chai';
import { resourceTypes } from '../../../../src/kube/resource-type.ts';
import type { Digest } from '../../../../src/model/digest.ts';
import type { CheckResult, ImageJudgement, PolicyResult } from '../../../../src/policy/judgement.ts';
import {
  contentOf,
  reportAnnotations,
  reportDraft,
} from '../../../../src/reconcilers/reports/report-object.ts';
import { resultsOf } from '../../../../src/reconcilers/reports/report-results.ts';
import type { PlacedFinding } from '../../../../src/reconcilers/scan/scan-verdict.ts';

const digest = `sha256:${'1'.repeat(64)}` as Digest;
const image = `r.example/app@${digest}`;
const passed: CheckResult = {
  ...{ check: 'signature', outcome: 'passed', reasons: [] },
  evidence: [
    {
      ...{ layout: 'tag', ref: 'r.example/app@sha256:e', witnessedAt: [] },
      signer: { subject: 'https://me', issuer: 'https://issuer', notBefore: '', notAfter: '' },
      logEntries: [{ logId: 'l', logIndex: 42 }],
    },
  ],
};
const missing: CheckResult = {
  ...{ check: 'sbom', predicateType: 'https://cyclonedx.org/bom', outcome: 'missing', evidence: [] },
  reasons: [{ code: 'ERR_POLICY_ATTESTATION_MISSING', message: 'no attestation' }],
};

function policyOf(more: Partial<PolicyResult>): PolicyResult {
  return {
    ...{ policy: 'p', mode: 'enforce', evaluation: 'strict', passed: false, reasons: [], authorities: [] },
    ...more,
  };
}

function findingOf(judgement: Partial<ImageJudgement>): PlacedFinding {
  const whole: ImageJudgement = { image, digest, outcome: 'denied', policies: [], reasons: [], ...judgement };
  return {
    ...{ image, digest, outcome: whole.outcome, brief: 'in short', decisions: [], judgement: whole },
    ...{ judgedAs: 'Pod', digestFrom: 'spec', pods: 3 },
  };
}

const authorityOf = (name: string, checks: readonly CheckResult[]): PolicyResult['authorities'][number] => ({
  authority: name,
  kind: 'keyless',
  passed: checks.every(({ outcome }) => outcome === 'passed'),
  checks,
});

describe('results of a policy report', () => {
  it('a policy that is not met: one a check, with what it lacks and what to do', () => {
    const policies = [policyOf({ authorities: [authorityOf('a', [passed, missing])] })];
    const results = resultsOf(findingOf({ policies, nextStep: 'Build it by the pipeline.' }));
    expect(results.map(({ policy, rule, result }) => [policy, rule, result])).to.deep.equal([
      ['p', 'a/signature', 'pass'],
      ['p', 'a/sbom', 'fail'],
    ]);
    expect(results[0]?.properties).to.include({ identity: 'https://me', logIndex: '42', pods: '3', image });
    expect(results[1]).to.include({
      severity: 'high',
      message: 'sbom missing: no attestation',
      scored: true,
    });
    expect(results[1]?.properties).to.include({
      reason: 'ERR_POLICY_ATTESTATION_MISSING',
      nextStep: 'Build it by the pipeline.',
    });
  });

  it('one that is met tells of the authority that vouches, not of the other', () => {
    const authorities = [authorityOf('no', [missing]), authorityOf('yes', [passed])];
    const policies = [policyOf({ passed: true, authorities })];
    const results = resultsOf(findingOf({ outcome: 'admitted', policies }));
    expect(results.map(({ rule, result }) => `${rule} ${result}`)).to.deep.equal(['yes/signature pass']);
  });

  it('one that only warns does not fail, and is not scored', () => {
    const policies = [policyOf({ mode: 'warn', authorities: [authorityOf('a', [missing])] })];
    const [result] = resultsOf(findingOf({ outcome: 'warned', policies }));
    expect(result).to.include({ result: 'warn', severity: 'medium', scored: false });
  });

  it('a broken policy, no policy, and nothing found out', () => {
    const reasons = [{ code: 'ERR_POLICY_COMPILE', message: 'the policy itself is broken: x' }];
    expect(resultsOf(findingOf({ policies: [policyOf({ reasons })] }))[0]).to.include({
      rule: 'policy',
      result: 'fail',
    });
    const unmatched = [{ code: 'ERR_POLICY_NO_MATCH', message: 'no matching policies' }];
    expect(resultsOf(findingOf({ reasons: unmatched }))[0]).to.include({
      policy: 'no-match-policy',
      rule: 'match',
    });
    const { judgement, ...rest } = findingOf({});
    expect(judgement).to.not.equal(undefined);
    expect(resultsOf({ ...rest, faultKind: 'passing' })[0]).to.include({
      result: 'error',
      message: 'in short',
    });
  });

  it('text from outside is bounded and harmless', () => {
    const bad = { ...missing, reasons: [{ code: 'X', message: `\u202Ered${'x'.repeat(5000)}` }] };
    const [result] = resultsOf(
      findingOf({ policies: [policyOf({ authorities: [authorityOf('a', [bad])] })] }),
    );
    expect(result?.message).to.have.length(1000).and.to.include('\\u202e');
  });
});

describe('a report as an object', () => {
  const subject = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'uid-1' };
  const results = (count: number): ReturnType<typeof resultsOf> =>
    Array.from({ length: count }, (_, index) => {
      const name = `r.example/app-${index}@${digest}`;
      const authorities = [authorityOf('a', [index === count - 1 ? missing : passed])];
      const judged = { image: name, digest, outcome: 'denied' as const, reasons: [] };
      return { ...findingOf({ ...judged, policies: [policyOf({ authorities })] }), image: name };
    }).flatMap(resultsOf);
  const at = new Date('2026-11-29T16:00:00.250Z');

  it('goes with its subject, and has the time in seconds and nanoseconds', () => {
    const report = { namespace: 'ns', subject, verdict: 'denied', results: results(2) };
    const draft = reportDraft(resourceTypes.policyReports, report, at);
    expect(draft).to.deep.include({ apiVersion: 'wgpolicyk8s.io/v1alpha2', kind: 'PolicyReport' });
    expect(draft.metadata).to.deep.include({ name: 'chainwright-uid-1', ownerReferences: [subject] });
    expect(draft['scope']).to.deep.equal({ ...subject, namespace: 'ns' });
    expect(draft['summary']).to.deep.equal({ pass: 1, fail: 1, warn: 0, error: 0, skip: 0 });
    expect((draft['results'] as { timestamp: object }[])[0]?.timestamp).to.deep.equal({
      seconds: 1_795_968_000,
      nanos: 250_000_000,
    });
    expect(reportDraft(resourceTypes.openReports, report, at)).to.include({ source: 'chainwright' });
  });

  it('of too many results the worst are kept, and the summary counts all', () => {
    const report = { namespace: 'ns', subject, verdict: 'denied', results: results(1000) };
    const draft = reportDraft(resourceTypes.policyReports, report, at);
    expect(draft['results']).to.have.length(200);
    expect(draft).to.have.nested.property('results[0].result', 'fail');
    expect(draft['summary']).to.include({ pass: 999, fail: 1 });
    expect(draft.metadata['annotations']).to.include({ [reportAnnotations.leftOut]: '800' });
    expect(JSON.stringify(draft).length).to.be.below(512 * 1024);
  });

  it('says the same whatever the order, and something else when a verdict turns', () => {
    const all = results(5);
    const report = { namespace: 'ns', subject, verdict: 'denied', results: all };
    expect(contentOf({ ...report, results: all.toReversed() })).to.equal(contentOf(report));
    expect(contentOf({ ...report, results: all.slice(1) })).to.not.equal(contentOf(report));
  });
});
