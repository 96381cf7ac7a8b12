import type { ImageFinding, JudgeRunning, PlacedFinding } from '../../../reconcilers/scan/scan-verdict.ts';
import { outcomeOf } from '../../../reconcilers/scan/scan-verdict.ts';
import { judgeWorkload } from '../../../reconcilers/scan/workload-judging.ts';
import type { WorkloadFinding, WorkloadJudgingParts } from '../../../reconcilers/scan/workload-judging.ts';
import type { ComparedPolicies } from './impact-policies.ts';
import { unmetChecks, worstImpact } from './impact-report.ts';
import type { ImpactOutcome, ImpactPod, ImpactRow, UnmetCheck } from './impact-report.ts';
import type { RunningWorkload } from './running-workloads.ts';

/** What becomes of one workload. */
export interface WorkloadImpact {
  readonly rows: readonly ImpactRow[];
  readonly pods: readonly ImpactPod[];
}

/** Judges a workload by what counts today and by what would. Throws ERR_KUBE_*, and the signal's reason. */
export async function judgeImpact(
  workload: RunningWorkload,
  { today, then }: ComparedPolicies,
  parts: { readonly client: WorkloadJudgingParts['client']; readonly judge: JudgeRunning },
  signal: AbortSignal,
): Promise<WorkloadImpact> {
  const after = await judgeWorkload({ ...workload, inForce: then }, parts, signal);
  const before = await judgeWorkload({ ...workload, inForce: today }, parts, signal);
  return { rows: rowsOf(workload, after, before), pods: podsOf(workload, after) };
}

/** What becomes of an image, exceptions told apart from policies that only warn. */
export function impactOf(finding: ImageFinding): ImpactOutcome {
  const outcome = outcomeOf(finding);
  if (outcome === 'error') return 'unknown';
  const isExcepted = finding.judgement?.policies.some(({ exception }) => exception !== undefined) ?? false;
  return outcome === 'warned' && isExcepted ? 'excepted' : outcome;
}

/** The Pods run what the template names, mostly: then both stand in one row. */
function rowsOf(
  { namespace, kind, name }: RunningWorkload,
  after: WorkloadFinding,
  before: WorkloadFinding,
): readonly ImpactRow[] {
  const groups = Map.groupBy(after.findings, (finding) =>
    JSON.stringify([finding.digest ?? finding.image, impactOf(finding)]),
  );
  return [...groups.values()].flatMap((findings): readonly ImpactRow[] => {
    // The Pods' findings come first: they tell what runs.
    const [first] = findings;
    if (first === undefined) return [];
    return [
      { namespace, owner: { kind, name }, ...rowOf(first, findings), today: todayOf(findings, before) },
    ];
  });
}

function rowOf(
  first: PlacedFinding,
  findings: readonly PlacedFinding[],
): Omit<ImpactRow, 'namespace' | 'owner' | 'today'> {
  const { image, digest, judgement, brief } = first;
  const exceptions = judgement?.policies.flatMap(({ exception }) => exception ?? []) ?? [];
  const nextStep = judgement?.nextStep ?? nextStepIn(brief);
  return {
    image,
    ...(digest === undefined ? {} : { digest }),
    judgedAs: [...new Set(findings.map(({ judgedAs }) => judgedAs))],
    pods: findings.reduce((total, { pods }) => total + pods, 0),
    outcome: impactOf(first),
    unmet: unmetOf(first),
    exceptions,
    ...(nextStep === undefined ? {} : { nextStep }),
    message: brief,
  };
}

function todayOf(findings: readonly PlacedFinding[], before: WorkloadFinding): ImpactOutcome {
  const meant = new Set(findings.map(({ judgedAs, image }) => `${judgedAs} ${image}`));
  const same = before.findings.filter(({ judgedAs, image }) => meant.has(`${judgedAs} ${image}`));
  return worstImpact(same.map(impactOf));
}

function unmetOf({ judgement, decisions, brief, outcome }: PlacedFinding): readonly UnmetCheck[] {
  if (judgement !== undefined) return unmetChecks(judgement);
  if (outcome === 'admitted') return [];
  const code = decisions[0]?.reason ?? '';
  return [
    { policy: '', mode: 'enforce', authority: '', check: 'image', outcome: 'invalid', code, message: brief },
  ];
}

function nextStepIn(brief: string): string | undefined {
  const at = brief.lastIndexOf('Next: ');
  return at === -1 ? undefined : brief.slice(at + 'Next: '.length);
}

function podsOf(
  { namespace, kind, name, pods }: RunningWorkload,
  after: WorkloadFinding,
): readonly ImpactPod[] {
  return pods.map((pod, index) => ({
    namespace,
    name: pod.metadata.name,
    owner: { kind, name },
    outcome: worstImpact((after.ofPods[index] ?? []).map(impactOf)),
  }));
}
