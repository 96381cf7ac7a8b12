import type { PolicyRegister } from '../policy/policy-register.ts';
import { pullAccountOf, workloadKindOf } from '../policy/workload-images.ts';
import type { WorkloadImage } from '../policy/workload-images.ts';
import { allow, refuse, refuseByFault } from './admission-answer.ts';
import type { AdmissionAnswer } from './admission-answer.ts';
import { notReadyFault } from './admission-fault.ts';
import { admissionLimits } from './admission-limits.ts';
import { answerOf } from './admission-message.ts';
import type { AdmissionRequest } from './admission-review.ts';
import type { DecisionRecorder } from './decision-recorder.ts';
import type { ImageJudging } from './image-judging.ts';
import type { PlacedImage } from './image-verdict.ts';
import { imagesToJudge, workloadOf } from './judged-images.ts';
import type { UnchangedImages } from './judged-images.ts';

/** What validating workloads takes. */
export interface WorkloadValidationParts {
  readonly register: Pick<PolicyRegister, 'inForce'>;
  readonly judging: Pick<ImageJudging, 'judge'>;
  readonly recorder: Pick<DecisionRecorder, 'record'>;
  readonly unchangedImages: UnchangedImages;
}

/**
 * Answers whether a workload may be written: each of its images is judged, all at once, and every one has to be admitted.
 * Throws ERR_ADMISSION_REVIEW; every other fault is an answer.
 */
export async function validateWorkload(
  request: AdmissionRequest,
  parts: WorkloadValidationParts,
  { signal }: { readonly signal: AbortSignal },
): Promise<AdmissionAnswer> {
  const images = placeImages(imagesToJudge(request, parts.unchangedImages));
  const object = workloadOf(request);
  if (images.length === 0 || object === undefined) return allow();
  const { inForce } = parts.register;
  if (inForce === undefined) return refuseByFault(notReadyFault());
  if (images.length > admissionLimits.images) {
    return refuse(
      403,
      `it has ${images.length} different images; more than ${admissionLimits.images} are not judged`,
    );
  }
  const asked = {
    object,
    workload: workloadKindOf(object),
    account: { namespace: request.namespace, ...pullAccountOf(object) },
    inForce,
    isPod: request.kind.kind === 'Pod',
    signal,
  };
  const startedMs = performance.now();
  const verdicts = await Promise.all(images.map((image) => parts.judging.judge(image, asked)));
  parts.recorder.record(request, verdicts, performance.now() - startedMs);
  return answerOf(verdicts);
}

/** Each image once, with all its places. */
function placeImages(images: readonly WorkloadImage[]): readonly PlacedImage[] {
  const byImage = Map.groupBy(images, ({ image }) => image);
  return [...byImage].map(([image, places]) => ({ image, paths: places.map(({ path }) => path) }));
}
