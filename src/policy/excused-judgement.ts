import { formatRepository } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import type { CompiledClusterPolicy } from './compiled-policy.ts';
import type { ImageJudgement, PolicyResult } from './judgement.ts';
import { findException } from './policy-exception.ts';
import type { PolicyException } from './policy-exception.ts';

/** What may excuse an image. */
export interface Excuses {
  /** Those of the namespace that the image is to run in. */
  readonly exceptions: readonly PolicyException[];
  readonly policies: readonly CompiledClusterPolicy[];
  readonly now: Date;
}

/**
 * The judgement with exceptions taken into account: a policy that an image fails counts as a warning where an exception
 * lets it off, unless the policy forbids exceptions. An image that no policy is about is not excused.
 */
export function excuse(
  judgement: ImageJudgement,
  pinned: PinnedImage,
  { exceptions, policies, now }: Excuses,
): ImageJudgement {
  if (judgement.outcome === 'admitted' || exceptions.length === 0) return judgement;
  const image = `${formatRepository(pinned.repository)}@${pinned.digest}`;
  const allowing = new Set(policies.filter((one) => one.exceptions === 'allowed').map(({ name }) => name));
  const results = judgement.policies.map((result): PolicyResult => {
    if (result.passed || !allowing.has(result.policy)) return result;
    const exception = findException(exceptions, { policy: result.policy, image, now });
    return exception === undefined ? result : { ...result, exception };
  });
  const isDenied = results.some(
    (one) => !one.passed && one.mode === 'enforce' && one.exception === undefined,
  );
  if (isDenied || judgement.policies.length === 0) return { ...judgement, policies: results };
  return { ...judgement, outcome: 'warned', policies: results };
}
