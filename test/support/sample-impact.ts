import type { AskedPolicy, ImpactReport, ImpactRow } from '../../src/commands/policy/impact/impact-report.ts';
import { countImpact } from '../../src/commands/policy/impact/impact-report.ts';
import { judgeSafety } from '../../src/commands/policy/impact/impact-safety.ts';

const hex = 'a1b2c3d4e5f60718'.repeat(4);

/** A row that is denied for want of an SBOM; `change` says what is different. */
export function impactRow(change: Partial<ImpactRow> = {}): ImpactRow {
  return {
    namespace: 'shop',
    owner: { kind: 'Deployment', name: 'checkout' },
    image: `harbor.golems.internal/golem-trust/checkout:1.4.0@sha256:${hex}`,
    digest: `sha256:${hex}`,
    judgedAs: ['Pod', 'Deployment'],
    pods: 3,
    outcome: 'denied',
    today: 'admitted',
    unmet: [
      {
        ...{ policy: 'golemtrust-production-policy', mode: 'enforce', authority: 'pipeline-signature' },
        ...{ check: 'sbom-cyclonedx', outcome: 'missing', code: 'ERR_POLICY_EVIDENCE_MISSING' },
        message: 'there is no attestation of type https://cyclonedx.org/bom',
      },
    ],
    exceptions: [],
    nextStep: 'Let the pipeline attest sbom-cyclonedx, or wait until its run is signed.',
    message: 'failed policy: golemtrust-production-policy',
    ...change,
  };
}

/** A report of these rows. */
export function impactReport(
  findings: readonly ImpactRow[],
  change: Partial<ImpactReport> = {},
): ImpactReport {
  const pods = findings.flatMap(({ namespace, owner, outcome, pods: count }) =>
    Array.from({ length: count }, (_, index) => ({
      ...{ namespace, owner, outcome, name: `${owner.name}-${index}` },
    })),
  );
  const policies: readonly AskedPolicy[] = [
    {
      ...{ name: 'golemtrust-production-policy', mode: 'warn', evaluation: 'strict' },
      images: ['harbor.golems.internal/golem-trust/**'],
      inCluster: { mode: 'warn', isSame: true, since: '2026-03-01T08:00:00Z' },
    },
  ];
  const totals = countImpact(findings, pods);
  return {
    ...{ policies, besides: ['base-images'], at: '2026-03-04T05:06:07.000Z', totals, findings, pods },
    namespaces: [...new Set(findings.map(({ namespace }) => namespace))],
    safety: judgeSafety(policies, totals),
    registryRequests: 41,
    ...change,
  };
}
