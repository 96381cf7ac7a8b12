import { describeReason } from '../../../policy/explanation.ts';
import type { AppliedException, ImageJudgement } from '../../../policy/judgement.ts';
import type { ClusterVersion } from './cluster-version.ts';
import type { ImpactSafety } from './impact-safety.ts';
import type { PastDecision } from './past-decisions.ts';

/** What becomes of an image: `excepted` where an exception alone lets it in, `unknown` where nothing could be found out. */
export type ImpactOutcome = 'denied' | 'unknown' | 'excepted' | 'warned' | 'admitted';

/** A check that keeps an image out, or would if its policy enforced. */
export interface UnmetCheck {
  readonly policy: string;
  readonly mode: 'enforce' | 'warn';
  /** Empty where the policy as a whole is not met, or none was asked. */
  readonly authority: string;
  /** `signature`, an attestation's name, or `policy`. */
  readonly check: string;
  readonly outcome: 'missing' | 'invalid';
  readonly code: string;
  readonly message: string;
}

/** What becomes of one image of one workload. */
export interface ImpactRow {
  readonly namespace: string;
  readonly owner: { readonly kind: string; readonly name: string };
  readonly image: string;
  readonly digest?: string;
  /** Kinds of objects that it would be judged in: the Pods, and the workload that names it in its template. */
  readonly judgedAs: readonly string[];
  /** How many Pods run it. */
  readonly pods: number;
  readonly outcome: ImpactOutcome;
  /** The same by the policies that are in the cluster now. */
  readonly today: ImpactOutcome;
  readonly unmet: readonly UnmetCheck[];
  readonly exceptions: readonly AppliedException[];
  readonly nextStep?: string;
  /** What `kubectl` would show; empty if it would be admitted. */
  readonly message: string;
}

/** What becomes of a Pod: the worst of its images. */
export interface ImpactPod {
  readonly namespace: string;
  readonly name: string;
  readonly owner: { readonly kind: string; readonly name: string };
  readonly outcome: ImpactOutcome;
}

/** A policy whose impact is asked for. */
export interface AskedPolicy {
  readonly name: string;
  /** As its file says; it is judged as if it enforced. */
  readonly mode: 'enforce' | 'warn';
  readonly evaluation: 'strict' | 'permissive';
  readonly images: readonly string[];
  /** Absent if the cluster has no policy of that name. */
  readonly inCluster?: ClusterVersion;
}

/** The impact of policies on what runs. */
export interface ImpactReport {
  readonly policies: readonly AskedPolicy[];
  /** Policies of the cluster that count besides. */
  readonly besides: readonly string[];
  /** RFC 3339. */
  readonly at: string;
  readonly namespaces: readonly string[];
  readonly totals: ImpactTotals;
  readonly safety: ImpactSafety;
  readonly findings: readonly ImpactRow[];
  readonly pods: readonly ImpactPod[];
  /** What was denied or warned of before; only where it was asked for. */
  readonly past?: readonly PastDecision[];
  /** How often registries were asked. */
  readonly registryRequests: number;
}

/** Counts of a report. */
export interface ImpactTotals {
  readonly workloads: number;
  readonly pods: number;
  readonly images: number;
  readonly podsDenied: number;
  readonly workloadsDenied: number;
  /** Of those, the ones that today's policies do not deny. */
  readonly workloadsNewlyDenied: number;
  readonly workloadsUnknown: number;
  readonly workloadsExcepted: number;
}

const order: readonly ImpactOutcome[] = ['denied', 'unknown', 'excepted', 'warned', 'admitted'];

/** The worst of several; `admitted` if there are none. */
export function worstImpact(outcomes: readonly ImpactOutcome[]): ImpactOutcome {
  return order.find((one) => outcomes.includes(one)) ?? 'admitted';
}

/** Counts what rows and Pods say. */
export function countImpact(rows: readonly ImpactRow[], pods: readonly ImpactPod[]): ImpactTotals {
  const workloads = [...Map.groupBy(rows, ownerKey).values()];
  const count = (isMeant: (rows: readonly ImpactRow[]) => boolean): number =>
    workloads.filter(isMeant).length;
  const worst = (of: readonly ImpactRow[]): ImpactOutcome => worstImpact(of.map(({ outcome }) => outcome));
  const before = (of: readonly ImpactRow[]): ImpactOutcome => worstImpact(of.map(({ today }) => today));
  return {
    workloads: workloads.length,
    pods: pods.length,
    images: new Set(rows.map(({ image, digest }) => digest ?? image)).size,
    podsDenied: pods.filter(({ outcome }) => outcome === 'denied').length,
    workloadsDenied: count((of) => worst(of) === 'denied'),
    workloadsNewlyDenied: count((of) => worst(of) === 'denied' && before(of) !== 'denied'),
    workloadsUnknown: count((of) => worst(of) === 'unknown'),
    workloadsExcepted: count((of) => worst(of) === 'excepted'),
  };
}

/** Tells workloads apart. */
function ownerKey({ namespace, owner }: Pick<ImpactRow, 'namespace' | 'owner'>): string {
  return `${namespace}/${owner.kind}/${owner.name}`;
}

/** The checks that are not met, by policy; of authorities only where none vouches. */
export function unmetChecks({
  policies,
  reasons,
}: Pick<ImageJudgement, 'policies' | 'reasons'>): readonly UnmetCheck[] {
  const none = reasons.map(({ code, message }): UnmetCheck => {
    return { policy: '', mode: 'enforce', authority: '', check: 'policy', outcome: 'missing', code, message };
  });
  const failed = policies.filter(({ passed }) => !passed);
  return [...none, ...failed.flatMap(unmetOfPolicy)];
}

function unmetOfPolicy({
  policy,
  mode,
  authorities,
  reasons,
}: ImageJudgement['policies'][number]): readonly UnmetCheck[] {
  const whole = reasons.map(({ code, message }): UnmetCheck => {
    return { policy, mode, authority: '', check: 'policy', outcome: 'invalid', code, message };
  });
  if (authorities.some(({ passed }) => passed)) return whole;
  const ofAuthorities = authorities.flatMap(({ authority, checks }) =>
    checks.flatMap(({ check, outcome, reasons: why }): readonly UnmetCheck[] => {
      if (outcome === 'passed') return [];
      const [reason] = why;
      const code = reason?.code ?? 'ERR_POLICY_UNMET';
      const message = reason === undefined ? `${check} ${outcome}` : describeReason(reason);
      return [{ policy, mode, authority, check, outcome, code, message }];
    }),
  );
  return [...whole, ...ofAuthorities];
}
