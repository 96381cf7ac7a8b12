import { expect } from 'chai';
import { VerdictCache } from '../../../src/admission/verdict-cache.ts';
import type { VerdictKey } from '../../../src/admission/verdict-cache.ts';
import type { CompiledClusterPolicy } from '../../../src/policy/compiled-policy.ts';
import type { AcceptedEvidence, PolicyResult } from '../../../src/policy/judgement.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';

const policy: CompiledClusterPolicy = {
  ...{ name: 'test', mode: 'enforce', evaluation: 'strict', exceptions: 'allowed' },
  ...{ authorities: [], globs: [], match: [] },
};
const key: VerdictKey = {
  image: 'r.example/a@sha256:1',
  policy,
  version: '1',
  namespace: 'shop',
  account: 'a',
};

function resultOf(passed: boolean, evidence: readonly AcceptedEvidence[] = []): PolicyResult {
  const checks = [{ check: 'signature', outcome: 'passed' as const, evidence, reasons: [] }];
  return {
    ...{ policy: 'test', mode: 'enforce', evaluation: 'strict', passed, reasons: [] },
    authorities: [{ authority: 'a', kind: 'keyless', passed, checks }],
  };
}

/** Evidence by a certificate that ends at an instant, with or without a witness. */
function evidenceUntil(notAfter: Date, isWitnessed: boolean): AcceptedEvidence {
  const signer = { subject: 's', issuer: 'i', notBefore: '', notAfter: notAfter.toISOString() };
  return { layout: 'tag', ref: 'r', signer, logEntries: [], witnessedAt: isWitnessed ? ['2026-01-01'] : [] };
}

/** An authority that looks at evidence with these Secrets, by a rule with these built-ins. */
function policyWith(more: {
  readonly pullSecrets?: string[];
  readonly volatile?: string[];
}): CompiledClusterPolicy {
  const { pullSecrets, volatile = [] } = more;
  const body = {
    type: 'rego',
    names: [],
    volatile,
    evaluate: () => Promise.reject(new Error()),
    release: () => Promise.resolve(),
  };
  const attestations = [{ name: 'sbom', predicateType: 'x', policy: body }];
  const authority = {
    kind: 'keyless',
    name: 'a',
    layouts: [],
    wantsSignature: true,
    attestations,
    pullSecrets,
  };
  return { ...policy, authorities: [authority] } as unknown as CompiledClusterPolicy;
}

describe('the memory of verdicts', () => {
  let clock: VirtualClock;
  let cache: VerdictCache;
  let judged: number;
  const judge = (result: PolicyResult) => (): Promise<PolicyResult> => {
    judged += 1;
    return Promise.resolve(result);
  };
  const ask = (result: PolicyResult, more: Partial<VerdictKey> = {}): Promise<PolicyResult> =>
    cache.recall({ ...key, ...more }, judge(result));

  beforeEach(() => {
    judged = 0;
    clock = new VirtualClock();
    cache = new VerdictCache({
      ...{ entries: 3, admittedForMs: 3_600_000, deniedForMs: 10_000, clock },
      metrics: { cacheAsked: () => undefined },
    });
  });

  it('keeps for an hour that an image passed, and for ten seconds that it failed', async () => {
    for (const [passed, ms] of [
      [true, 3_600_000],
      [false, 10_000],
    ] as const) {
      const image = `r.example/${passed}`;
      judged = 0;
      await ask(resultOf(passed), { image });
      await clock.advance(ms - 1);
      await ask(resultOf(passed), { image });
      expect(judged).to.equal(1);
      await clock.advance(2);
      await ask(resultOf(passed), { image });
      expect(judged).to.equal(2);
    }
  });

  it('keeps nothing that failed if told so', async () => {
    cache = new VerdictCache({
      ...{ entries: 3, admittedForMs: 0, deniedForMs: 0, clock },
      metrics: { cacheAsked: () => undefined },
    });
    for (const passed of [true, true, false, false]) await ask(resultOf(passed));
    expect(judged).to.equal(4);
  });

  for (const more of [{ image: 'other' }, { version: '2' }, { policy: { ...policy, name: 'other' } }]) {
    it(`tells apart verdicts with another ${Object.keys(more).join()}`, async () => {
      await ask(resultOf(true));
      await ask(resultOf(true), more);
      expect(judged).to.equal(2);
    });
  }

  it('shares that an image passed, but not that it failed: a registry may hide evidence from some', async () => {
    await ask(resultOf(true));
    await ask(resultOf(true), { account: 'b', namespace: 'other' });
    expect(judged).to.equal(1);
    await ask(resultOf(false), { version: '2' });
    await ask(resultOf(false), { version: '2', account: 'b' });
    expect(judged).to.equal(3);
  });

  it('shares nothing between namespaces that was found by their Secrets', async () => {
    const withSecrets = policyWith({ pullSecrets: ['mine'] });
    await ask(resultOf(true), { policy: withSecrets });
    await ask(resultOf(true), { policy: withSecrets, namespace: 'other' });
    await ask(resultOf(true), { policy: withSecrets });
    expect(judged).to.equal(2);
  });

  it('has all wait for one judgement, and keeps its fault for nobody', async () => {
    const { promise, reject } = Promise.withResolvers<PolicyResult>();
    const asked = [1, 2, 3].map(() =>
      cache
        .recall(key, () => {
          judged += 1;
          return promise;
        })
        .catch((error: unknown) => error),
    );
    const fault = new Error('away');
    reject(fault);
    expect(await Promise.all(asked)).to.deep.equal([fault, fault, fault]);
    await ask(resultOf(true));
    expect(judged).to.equal(2);
  });

  it('does not have one wait for a judgement with the credentials of another', async () => {
    void cache.recall(key, () => new Promise(() => undefined));
    await ask(resultOf(true), { account: 'b' });
    expect(judged).to.equal(1);
  });

  it('forgets with the certificate what nobody witnessed', async () => {
    const end = new Date(clock.now().getTime() + 60_000);
    await ask(resultOf(true, [evidenceUntil(end, false)]));
    await ask(resultOf(true, [evidenceUntil(end, true)]), { image: 'witnessed' });
    await clock.advance(60_001);
    await ask(resultOf(true));
    await ask(resultOf(true), { image: 'witnessed' });
    expect(judged).to.equal(3);
  });

  it('keeps nothing that depends on the moment', async () => {
    const volatile = policyWith({ volatile: ['time.now_ns'] });
    await ask(resultOf(true), { policy: volatile });
    await ask(resultOf(true), { policy: volatile });
    expect(judged).to.equal(2);
  });

  it('keeps no more than it may', async () => {
    for (const image of ['a', 'b', 'c', 'd', 'a']) await ask(resultOf(true), { image });
    expect(judged).to.equal(5);
  });

  it('who takes older ones gets them, and asks anew for what is too old for it', async () => {
    const kept = new VerdictCache({
      ...{ entries: 10, admittedForMs: 60_000, deniedForMs: 10_000, keptForMs: 3_600_000, clock },
      metrics: { cacheAsked: () => undefined },
    });
    let judged = 0;
    const judge = (): Promise<PolicyResult> => {
      judged += 1;
      return Promise.resolve(resultOf(false));
    };
    await kept.recall(key, judge);
    await clock.advance(30_000);
    await kept.recall(key, judge, 1_800_000);
    expect(judged, 'older than the door takes').to.equal(1);
    expect(kept.has(key)).to.equal(false);
    await kept.recall(key, judge);
    expect(judged).to.equal(2);
    await clock.advance(1_800_000);
    await kept.recall(key, judge, 1_800_000);
    expect(judged, 'too old for anybody').to.equal(3);
  });
});
