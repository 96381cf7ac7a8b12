import { isDeepStrictEqual } from 'node:util';
import { isWorkload, listWorkloadImages } from '../policy/workload-images.ts';
import type { WorkloadImage } from '../policy/workload-images.ts';
import { malformedReview } from './admission-fault.ts';
import type { AdmissionRequest } from './admission-review.ts';
import { objectIn } from '../model/json-object.ts';
import type { JsonObject } from '../model/json-object.ts';

/** What becomes of images on UPDATE that the object held before: `judge` has them judged again. */
export type UnchangedImages = 'admit' | 'judge';

/** Subresources by which nobody can give an object another image. */
const imageless: ReadonlySet<string> = new Set(['status', 'scale']);

/** The object that wants to run images; undefined if the request cannot bring any. Throws ERR_ADMISSION_REVIEW. */
export function workloadOf({
  operation,
  subResource,
  kind,
  object,
}: AdmissionRequest): JsonObject | undefined {
  if ((operation !== 'CREATE' && operation !== 'UPDATE') || imageless.has(subResource)) return undefined;
  // What is not known to be harmless is refused: its images, if it has any, would go unseen.
  if (!isWorkload(kind.kind)) throw malformedReview(`images of a ${kind.kind} are not known here`);
  if (object === undefined) throw malformedReview(`${operation} without an object`);
  if (object['kind'] !== kind.kind) throw malformedReview(`the object is no ${kind.kind}`);
  return object;
}

/**
 * The images that have to be judged. On UPDATE those that the object held before are left out, wherever they stood, if
 * the setting says so, and always when the object is being deleted or only scaled down.
 */
export function imagesToJudge(
  request: AdmissionRequest,
  unchanged: UnchangedImages,
): readonly WorkloadImage[] {
  const object = workloadOf(request);
  if (object === undefined) return [];
  const images = listWorkloadImages(object);
  const before = previousOf(request);
  if (before === undefined || (unchanged === 'judge' && !isHarmless(object, before))) return images;
  return newImages(images, before);
}

/** The images that an UPDATE brings; all of them on CREATE. */
export function imagesBrought(request: AdmissionRequest): readonly WorkloadImage[] {
  const object = workloadOf(request);
  if (object === undefined) return [];
  const images = listWorkloadImages(object);
  const before = previousOf(request);
  return before === undefined ? images : newImages(images, before);
}

function newImages(images: readonly WorkloadImage[], before: JsonObject): readonly WorkloadImage[] {
  const held = new Set(listWorkloadImages(before).map(({ image }) => image));
  return images.filter(({ image }) => !held.has(image));
}

/** What the object was before, if it was the same one. */
function previousOf({ operation, object, oldObject }: AdmissionRequest): JsonObject | undefined {
  if (operation !== 'UPDATE' || object === undefined || oldObject === undefined) return undefined;
  const uid = metadataOf(object)['uid'];
  const isSame = typeof uid === 'string' && uid !== '' && uid === metadataOf(oldObject)['uid'];
  return isSame && object['kind'] === oldObject['kind'] ? oldObject : undefined;
}

/** An object on its way out, or one that shall run fewer Pods of what it runs, must never be held up. */
function isHarmless(object: JsonObject, before: JsonObject): boolean {
  return typeof metadataOf(before)['deletionTimestamp'] === 'string' || isScaledDown(object, before);
}

function isScaledDown(object: JsonObject, before: JsonObject): boolean {
  const { replicas: now, ...rest } = objectIn(object['spec']);
  const { replicas: then, ...restBefore } = objectIn(before['spec']);
  return (
    typeof now === 'number' && typeof then === 'number' && now < then && isDeepStrictEqual(rest, restBefore)
  );
}

function metadataOf(object: JsonObject): JsonObject {
  return objectIn(object['metadata']);
}
