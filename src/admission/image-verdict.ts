import type { Digest } from '../model/digest.ts';
import type { AppError, FaultKind } from '../model/errors.ts';
import { explainBriefly, explainFully, harmlessText } from '../policy/explanation.ts';
import type { CheckReason, ImageJudgement, PolicyResult } from '../policy/judgement.ts';
import type { DecisionOutcome } from '../telemetry/admission-metrics.ts';

/** An image of an object, with every place where it stands. */
export interface PlacedImage {
  readonly image: string;
  /** Paths of the fields, e.g. `spec.containers[0].image`. */
  readonly paths: readonly string[];
}

/** What a policy said of an image; `policy` is empty where none is about it. */
export interface PolicyDecision {
  readonly policy: string;
  readonly outcome: DecisionOutcome;
  /** The check that failed first; empty if none did. */
  readonly check: string;
  /** Code of the reason; `passed` if there is none. */
  readonly reason: string;
}

/** What becomes of an image, ready to be told. */
export interface ImageVerdict extends PlacedImage {
  readonly digest?: Digest;
  readonly outcome: DecisionOutcome;
  /** Who can mend it that nothing was found out about the image; absent if something was. */
  readonly faultKind?: FaultKind;
  /** For `kubectl`; empty if it was admitted. */
  readonly brief: string;
  /** For logs: every policy, check and piece of evidence. */
  readonly full: string;
  readonly decisions: readonly PolicyDecision[];
  /** What it rests on; absent where no policy was asked. */
  readonly judgement?: ImageJudgement;
  /** Said to the user though the image is admitted. */
  readonly advice?: string;
}

/** The verdict of a judgement. */
export function judgedVerdict(placed: PlacedImage, judgement: ImageJudgement): ImageVerdict {
  const { outcome, digest, policies, reasons } = judgement;
  const path = placed.paths.join(', ');
  const decisions = [
    ...policies.map(decisionOf),
    ...reasons.map((reason) => withoutPolicy(outcome, reason.code)),
  ];
  return {
    ...placed,
    digest,
    outcome,
    brief: explainBriefly(judgement, { path }),
    full: explainFully(judgement),
    decisions: decisions.length === 0 ? [withoutPolicy(outcome, 'passed')] : decisions,
    judgement,
  };
}

/** The verdict on an image that is refused before any policy is asked. */
export function refusedVerdict(
  placed: PlacedImage,
  { code, message, nextStep }: CheckReason & { readonly nextStep: string },
  outcome: DecisionOutcome = 'denied',
): ImageVerdict {
  const told = `${message}: ${placed.paths.join(', ')}: ${shown(placed.image)}. Next: ${nextStep}`;
  const brief = outcome === 'admitted' ? '' : harmlessText(told);
  return {
    ...placed,
    outcome,
    brief,
    full: brief === '' ? harmlessText(`${shown(placed.image)}: ${outcome}`) : brief,
    decisions: [withoutPolicy(outcome, outcome === 'admitted' ? 'passed' : code)],
  };
}

/** The verdict on an image about which nothing could be found out. */
export function faultVerdict(
  placed: PlacedImage,
  fault: AppError,
  { notes, outcome }: { readonly notes: readonly string[]; readonly outcome: 'warned' | 'denied' },
): ImageVerdict {
  const next = fault.remedy === undefined ? '' : ` Next: ${fault.remedy}`;
  const noted = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
  const message = fault.message.replace(/\.$/, '');
  const place = `${placed.paths.join(', ')}: ${shown(placed.image)}`;
  const brief = harmlessText(`cannot verify: ${place}: ${message}${noted}.${next}`);
  return {
    ...placed,
    outcome,
    faultKind: fault.kind,
    brief,
    full: `${fault.code}: ${brief}`,
    decisions: [withoutPolicy(outcome, fault.code)],
  };
}

function withoutPolicy(outcome: DecisionOutcome, reason: string): PolicyDecision {
  return { policy: '', outcome, check: '', reason };
}

function decisionOf(result: PolicyResult): PolicyDecision {
  const { policy, mode, passed, reasons, authorities, exception } = result;
  if (passed) return { policy, outcome: 'admitted', check: '', reason: 'passed' };
  if (exception !== undefined) return { policy, outcome: 'warned', check: '', reason: 'excepted' };
  const outcome = mode === 'warn' ? 'warned' : 'denied';
  const [own] = reasons;
  if (own !== undefined) return { policy, outcome, check: 'policy', reason: own.code };
  const failed = authorities.flatMap(({ checks }) => checks).find((one) => one.outcome !== 'passed');
  return {
    policy,
    outcome,
    check: failed?.check ?? '',
    reason: failed?.reasons[0]?.code ?? 'ERR_POLICY_UNMET',
  };
}

/** What stands in an object may be anything, and of any length. */
function shown(image: string): string {
  return image === '' ? '""' : image.slice(0, 300);
}
