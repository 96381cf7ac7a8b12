import { expect } from 'chai';
import { parseDigest } from '../../../src/model/digest.ts';
import { explainBriefly, explainFully } from '../../../src/policy/explanation.ts';
import type { CheckResult, ImageJudgement, PolicyResult } from '../../../src/policy/judgement.ts';
import { nextStepOf } from '../../../src/policy/next-step.ts';

const digest = parseDigest(`sha256:${'ab'.repeat(32)}`);
const image = `harbor.example/app@${digest}`;
const signature: CheckResult = {
  check: 'signature',
  outcome: 'passed',
  reasons: [],
  evidence: [
    {
      layout: 'tag',
      ref: 'harbor.example/app@sha256:01',
      signer: { subject: 'ci', issuer: 'https://issuer.example', notBefore: '', notAfter: '' },
      logEntries: [{ logId: '', logIndex: 7 }],
      witnessedAt: ['2026-11-01T08:00:00.000Z'],
    },
  ],
};
const provenance: CheckResult = {
  check: 'slsa-provenance',
  predicateType: 'https://slsa.dev/provenance/v0.2',
  outcome: 'invalid',
  evidence: [],
  reasons: [
    {
      code: 'ERR_POLICY_UNMET',
      message: 'conflict',
      path: 'predicate.builder.id',
      expected: '=~"chains/"',
      found: '"https://somebody.example"',
      ref: 'harbor.example/app@sha256:02',
    },
  ],
};
const sbom: CheckResult = {
  check: 'sbom',
  predicateType: 'https://cyclonedx.org/bom',
  outcome: 'missing',
  evidence: [],
  reasons: [{ code: 'ERR_POLICY_EVIDENCE_MISSING', message: 'no attestation' }],
};

function judgementOf(checks: readonly CheckResult[]): ImageJudgement {
  const authorities = [{ authority: 'pipeline', kind: 'keyless' as const, passed: false, checks }];
  const policy = {
    policy: 'production',
    mode: 'enforce' as const,
    evaluation: 'strict' as const,
    passed: false,
    authorities,
    reasons: [],
  };
  return {
    image,
    digest,
    outcome: 'denied',
    policies: [policy],
    reasons: [],
    nextStep: nextStepOf([policy], { isIndex: false }),
  };
}

describe('the explanation of a judgement', () => {
  const denied = judgementOf([signature, provenance, sbom]);

  it('is one paragraph that begins as policy-controller does and names every check', () => {
    expect(explainBriefly(denied, { path: 'spec.containers[0].image' })).to.equal(
      `failed policy: production: spec.containers[0].image: ${image}: authority pipeline: signature passed; ` +
        'slsa-provenance invalid (predicate.builder.id: expected =~"chains/", found "https://somebody.example"); ' +
        'sbom missing (no attestation). ' +
        'Next: Make the slsa-provenance anew so that it meets the policy: build the image by the pipeline.',
    );
  });

  it('is in full every check with its reasons and evidence', () => {
    expect(explainFully(denied).split('\n')).to.deep.equal([
      `${image}: denied`,
      '  policy production (enforce, strict): failed',
      '    authority pipeline (keyless): failed',
      '      signature: passed',
      '        tag: ci by https://issuer.example, log index 7, 2026-11-01T08:00:00.000Z [harbor.example/app@sha256:01]',
      '      slsa-provenance (https://slsa.dev/provenance/v0.2): invalid',
      '        predicate.builder.id: expected =~"chains/", found "https://somebody.example" [harbor.example/app@sha256:02]',
      '      sbom (https://cyclonedx.org/bom): missing',
      '        no attestation',
      `  next: ${denied.nextStep ?? ''}`,
    ]);
  });

  it('says nothing of an image that was admitted', () => {
    expect(explainBriefly({ image, digest, outcome: 'admitted', policies: [], reasons: [] })).to.equal('');
  });

  it('names the image that no policy is about as policy-controller does', () => {
    const reasons = [{ code: 'ERR_POLICY_NO_MATCH', message: 'no matching policies' }];
    const unmatched: ImageJudgement = { image, digest, outcome: 'denied', policies: [], reasons };
    expect(explainBriefly(unmatched, { path: 'spec.containers[0].image' })).to.equal(
      `no matching policies: spec.containers[0].image: ${image}`,
    );
  });

  it('shows no control or invisible character of evidence, and no endless text', () => {
    const message = `\u001b[2Jfine\u202egnorw\nadmitted ${'x'.repeat(10_000)}`;
    const hostile = judgementOf([{ ...sbom, reasons: [{ code: 'ERR_POLICY_UNMET', message }] }]);
    for (const text of [explainBriefly(hostile), ...explainFully(hostile).split('\n')]) {
      expect(text)
        .to.match(/^[^\p{Cc}\p{Cf}]*$/u)
        .and.have.length.below(2000);
    }
    expect(explainBriefly(hostile)).to.include(String.raw`\u001b[2Jfine\u202egnorw\u000aadmitted`);
  });

  const steps: readonly (readonly [string, readonly CheckResult[], RegExp])[] = [
    [
      'everything is missing',
      [{ ...signature, outcome: 'missing' }, sbom],
      /Nobody who counts has signed it/,
    ],
    ['an attestation is missing', [signature, sbom], /Let the pipeline attest sbom/],
    [
      'somebody else signed',
      [{ ...signature, outcome: 'invalid', reasons: [{ code: 'ERR_VERIFY_IDENTITY', message: '' }] }],
      /Somebody else signed it/,
    ],
    [
      'evidence was changed',
      [{ ...provenance, reasons: [{ code: 'ERR_VERIFY_SIGNATURE', message: '' }] }],
      /changed after it was signed/,
    ],
  ];
  for (const [when, checks, step] of steps) {
    it(`tells what to do when ${when}`, () => {
      expect(judgementOf(checks).nextStep).to.match(step);
    });
  }

  const failing = (of: Partial<PolicyResult>): PolicyResult => ({
    ...{
      policy: 'production',
      mode: 'enforce',
      evaluation: 'strict',
      passed: false,
      authorities: [],
      reasons: [],
    },
    ...of,
  });
  const byAuthority = (kind: 'key' | 'keyless', code: string): PolicyResult => {
    const checks = [{ ...signature, outcome: 'invalid' as const, reasons: [{ code, message: '' }] }];
    return failing({ authorities: [{ authority: 'a', kind, passed: false, checks }] });
  };
  const broken = failing({ reasons: [{ code: 'ERR_POLICY_REFERENCE', message: 'it is broken' }] });

  it('sends the reader to the keeper of a policy that is broken, or whose own rule is not met', () => {
    expect(nextStepOf([broken], { isIndex: false })).to.match(/keeps the policy production to mend it/);
    const met = { ...byAuthority('keyless', 'x'), reasons: broken.reasons };
    expect(nextStepOf([met], { isIndex: false })).to.match(/the policy's own rule that is not met/);
  });

  it('tells of the policy that denies rather than of one that only warns', () => {
    const warning = { ...broken, mode: 'warn' as const, policy: 'other' };
    expect(nextStepOf([warning, byAuthority('keyless', 'ERR_VERIFY_EXPIRED')], { isIndex: false })).to.match(
      /signed in time/,
    );
  });

  it('does not take another key for a change', () => {
    expect(nextStepOf([byAuthority('key', 'ERR_VERIFY_SIGNATURE')], { isIndex: false })).to.match(
      /another one/,
    );
  });

  it('says of an index that the evidence of its platforms does not count', () => {
    expect(nextStepOf([byAuthority('key', 'x')], { isIndex: true })).to.match(/The image is an index/);
  });
});
