import { expect } from 'chai';
import { createAdmissionMetrics } from '../../../src/telemetry/admission-metrics.ts';

const linesOf = async (page: { render(): Promise<string> }): Promise<readonly string[]> =>
  (await page.render()).split('\n');

describe('telemetry: metrics of admission', () => {
  it('counts decisions, reviews and questions to caches, by label', async () => {
    const metrics = createAdmissionMetrics({ version: '1.2.3' });
    metrics.decisionMade({ policy: 'golem', outcome: 'denied', reason: 'ERR_EVIDENCE_MISSING' });
    metrics.decisionMade({ policy: 'golem', outcome: 'admitted', reason: 'passed' });
    metrics.decisionMade({ policy: '', outcome: 'denied', reason: 'ERR_POLICY_NO_MATCH' });
    metrics.reviewTook('validate', 'denied', 0.002);
    metrics.reviewTook('mutate', 'failed', 9);
    metrics.cacheAsked('verdict', 'hit');
    metrics.cacheAsked('evidence', 'joined');
    metrics.certificateExpires(new Date(1_700_000_000_500));
    metrics.faultOccurred('ERR_REGISTRY_AWAY', 'passing');
    expect(await linesOf(metrics)).to.include.members([
      'chainwright_build_info{version="1.2.3"} 1',
      'chainwright_admission_decisions_total{policy="golem",outcome="denied",reason="ERR_EVIDENCE_MISSING"} 1',
      'chainwright_admission_decisions_total{policy="golem",outcome="admitted",reason="passed"} 1',
      'chainwright_admission_decisions_total{policy="",outcome="denied",reason="ERR_POLICY_NO_MATCH"} 1',
      'chainwright_admission_review_duration_seconds_bucket{le="0.002",kind="validate",outcome="denied"} 1',
      'chainwright_admission_review_duration_seconds_sum{kind="mutate",outcome="failed"} 9',
      'chainwright_admission_cache_requests_total{cache="verdict",result="hit"} 1',
      'chainwright_admission_cache_requests_total{cache="evidence",result="joined"} 1',
      'chainwright_admission_certificate_expiry_timestamp_seconds 1700000000.5',
      'chainwright_faults_total{code="ERR_REGISTRY_AWAY",kind="passing"} 1',
    ]);
  });

  it('keeps the number of policies and reasons bounded, and the first ones by name', async () => {
    const metrics = createAdmissionMetrics({ version: '0' });
    const count = (policy: string, reason: string): void => {
      metrics.decisionMade({ policy, outcome: 'denied', reason });
    };
    count('first', 'ERR_A');
    for (let index = 0; index < 500; index += 1) count(`policy-${index}`, 'ERR_A');
    for (let index = 0; index < 500; index += 1) count('first', `ERR_${index}`);
    count('First"\n', 'harbor.example: no such host');
    const lines = (await linesOf(metrics)).filter((line) =>
      line.startsWith('chainwright_admission_decisions_total{'),
    );
    expect(lines).to.include(
      'chainwright_admission_decisions_total{policy="other",outcome="denied",reason="ERR_A"} 301',
    );
    expect(lines.some((line) => line.includes('policy="first",outcome="denied",reason="ERR_1"'))).to.equal(
      true,
    );
    expect(lines).to.include(
      'chainwright_admission_decisions_total{policy="other",outcome="denied",reason="other"} 1',
    );
    expect(lines).to.have.lengthOf.below(410);
  });

  it('reads the number of policies at each scrape, 0 until they are known', async () => {
    const metrics = createAdmissionMetrics({ version: '0' });
    const known: { count?: number } = {};
    metrics.policiesInForce(() => known.count);
    expect(await linesOf(metrics)).to.include('chainwright_admission_policies 0');
    known.count = 3;
    expect(await linesOf(metrics)).to.include('chainwright_admission_policies 3');
  });
});
