import type { Log } from '../model/log.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { ImageReference } from '../model/image-reference.ts';
import { mayBeInScope } from '../policy/policy-matching.ts';
import type { PolicyRegister } from '../policy/policy-register.ts';
import { pullAccountOf, workloadKindOf } from '../policy/workload-images.ts';
import type { WorkloadImage } from '../policy/workload-images.ts';
import { allow } from './admission-answer.ts';
import type { AdmissionAnswer, PatchStep } from './admission-answer.ts';
import { admissionLimits } from './admission-limits.ts';
import type { AdmissionRequest } from './admission-review.ts';
import { accountKey } from './image-stores.ts';
import type { ImageStores, WorkloadAccount } from './image-stores.ts';
import { readImageText } from './image-text.ts';
import { objectIn } from '../model/json-object.ts';
import type { JsonObject } from '../model/json-object.ts';
import { imagesBrought, workloadOf } from './judged-images.ts';
import type { TagResolver } from './tag-resolver.ts';

/** What pinning takes. */
export interface TagPinningParts {
  readonly register: Pick<PolicyRegister, 'inForce'>;
  readonly stores: Pick<ImageStores, 'forWorkload'>;
  readonly tags: Pick<TagResolver, 'resolve'>;
  readonly resolveTags: boolean;
  readonly log: Pick<Log, 'debug'>;
}

interface TaggedImage extends WorkloadImage {
  readonly reference: ImageReference;
}

/**
 * Replaces tags by `TAG@DIGEST`, for images alone that a policy in force may be about. It always allows: what cannot be
 * resolved is left to the validating call, whose message says why. Images that an UPDATE does not bring are left as they
 * are, since another text would restart what runs. Throws ERR_ADMISSION_REVIEW.
 */
export async function pinTags(
  request: AdmissionRequest,
  parts: TagPinningParts,
  { signal }: { readonly signal: AbortSignal },
): Promise<AdmissionAnswer> {
  const object = workloadOf(request);
  if (object === undefined || !parts.resolveTags || isManaged(request, object)) return allow();
  const tagged = taggedImages(request, object, parts);
  if (tagged.length === 0) return allow();
  const account = { namespace: request.namespace, ...pullAccountOf(object) };
  const steps = await Promise.all(tagged.map((image) => pinImage(image, { account, parts, signal })));
  return { ...allow(), patch: steps.filter((step) => step !== undefined) };
}

function taggedImages(
  request: AdmissionRequest,
  object: JsonObject,
  { register }: TagPinningParts,
): readonly TaggedImage[] {
  const policies = register.inForce?.policies ?? [];
  const workload = workloadKindOf(object);
  const isJudged = new Map<string, boolean>();
  const tagged = imagesBrought(request).flatMap((image) => {
    const reference = readImageText(image.image);
    if (reference === undefined || reference.digest !== undefined) return [];
    const { repository } = reference;
    const known =
      isJudged.get(image.image) ??
      policies.some(({ compiled }) => mayBeInScope(compiled, repository, workload));
    isJudged.set(image.image, known);
    return known ? [{ ...image, reference }] : [];
  });
  // With more the object is refused anyway.
  return isJudged.size > admissionLimits.images ? [] : tagged;
}

async function pinImage(
  { image, pointer, reference }: TaggedImage,
  asked: { readonly account: WorkloadAccount; readonly parts: TagPinningParts; readonly signal: AbortSignal },
): Promise<PatchStep | undefined> {
  const { account, parts, signal } = asked;
  try {
    const store = parts.stores.forWorkload(account);
    const digest = await parts.tags.resolve(reference, { store, account: accountKey(account), signal });
    const tag = reference.tag === undefined ? ':latest' : '';
    return { op: 'replace', path: pointer, value: `${image}${tag}@${digest}` };
  } catch (error) {
    const code = isAppError(error) ? error.code : undefined;
    parts.log.debug('a tag could not be resolved', {
      image: image.slice(0, 300),
      code,
      error: messageOf(error),
    });
    return undefined;
  }
}

/**
 * What another controller made must keep the images of its template, or that controller would make it again and again;
 * only Pods may differ.
 */
function isManaged({ kind }: AdmissionRequest, object: JsonObject): boolean {
  const owners = objectIn(object['metadata'])['ownerReferences'];
  if (kind.kind === 'Pod' || !Array.isArray(owners)) return false;
  return owners.some((owner) => objectIn(owner)['controller'] === true);
}
