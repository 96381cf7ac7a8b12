import { AppError, isAppError, isPassing, messageOf } from '../model/errors.ts';
import { splitDigest } from '../model/digest.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import type { FoundSubject } from '../tekton/subjects.ts';
import type { Descriptor, ImageManifest } from '../model/oci.ts';
import type { ImageStore } from '../registry/image-store.ts';
import { isImageIndex } from '../registry/manifest-parser.ts';
import { isUnreadableContent } from '../registry/registry-faults.ts';
import { listPlatformManifests } from '../registry/platform-manifests.ts';

/** A subject of the provenance: a name and its digests by algorithm. */
export interface NamedSubject {
  readonly name: string;
  readonly digest: Readonly<Record<string, string>>;
}

/** An image that the registry holds, with the descriptor of its manifest. */
export interface ResolvedImage extends PinnedImage {
  readonly descriptor: Descriptor;
  /** Its manifest, where the check has read it: of a single image, not of an index and its platforms. */
  readonly manifest?: ImageManifest;
  /** For a platform manifest: the image index that lists it. */
  readonly index?: ResolvedImage;
}

/** The subjects that hold after asking the registry, and what is wrong with the others. */
export interface ResolvedSubjects {
  /** Each image once; an image index is followed by its platform manifests. */
  readonly images: readonly ResolvedImage[];
  /** What the statement lists: every subject that holds, and the platform manifests of an index under its name. */
  readonly subjects: readonly NamedSubject[];
  /** True if a subject is no image, so that the attestation has to go to the run as well. */
  readonly hasOtherSubjects: boolean;
  readonly faults: readonly AppError[];
}

/**
 * Asks the registry for each image subject. An image that it does not hold, or that cannot be read, is left out with a
 * fault (ERR_SUBJECT_ABSENT, or what the registry said); the others are unaffected.
 */
export async function resolveSubjects(
  found: readonly FoundSubject[],
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<ResolvedSubjects> {
  const wanted = new Map(
    found.flatMap(({ image }) => (image === undefined ? [] : [[imageKey(image), image]])),
  );
  const outcomes = await Promise.all(
    [...wanted].map(async ([key, image]) => [key, await resolveImage(image, store, options)] as const),
  );
  const images = new Map<string, ResolvedImage>();
  const faults: AppError[] = [];
  const resolved = new Map(outcomes);
  for (const outcome of resolved.values()) {
    if (isAppError(outcome)) faults.push(outcome);
    else for (const image of outcome) images.set(imageKey(image), image);
  }
  return {
    images: [...images.values()],
    subjects: found.flatMap((subject) => statementSubjects(subject, resolved)),
    hasOtherSubjects: found.some(({ image }) => image === undefined),
    faults,
  };
}

type ImageOutcome = readonly ResolvedImage[] | AppError;

function statementSubjects(
  subject: FoundSubject,
  resolved: ReadonlyMap<string, ImageOutcome>,
): readonly NamedSubject[] {
  const { name, digest, image } = subject;
  if (image === undefined) return [{ name, digest }];
  const outcome = resolved.get(imageKey(image));
  if (outcome === undefined || isAppError(outcome)) return [];
  const platforms = outcome
    .slice(1)
    .map((platform) => ({ name, digest: { sha256: splitDigest(platform.digest).hex } }));
  return [{ name, digest }, ...platforms];
}

async function resolveImage(
  image: PinnedImage,
  store: ImageStore,
  options: { readonly signal: AbortSignal },
): Promise<ImageOutcome> {
  try {
    const manifest = await store.getManifest(image.repository, image.digest, options);
    if (manifest === undefined) return absent(image);
    const platforms = listPlatformManifests(manifest);
    const top: ResolvedImage = {
      ...image,
      descriptor: manifest.descriptor,
      ...(isImageIndex(manifest.manifest) ? {} : { manifest: manifest.manifest }),
    };
    const { repository } = image;
    return [
      top,
      ...platforms.map((descriptor) => ({ repository, digest: descriptor.digest, descriptor, index: top })),
    ];
  } catch (error) {
    if (isUnreadableContent(error) && !isPassing(error)) return unreadable(image, error);
    if (isAppError(error)) return error;
    throw error;
  }
}

function unreadable(image: PinnedImage, cause: unknown): AppError {
  const object = imageKey(image);
  return new AppError('ERR_SUBJECT_UNREADABLE', `${object} is no readable image: ${messageOf(cause)}`, {
    kind: 'permanent',
    object,
    remedy: 'Push the image again, and let the result name the digest that the registry gave.',
    cause,
  });
}

function absent(image: PinnedImage): AppError {
  const object = imageKey(image);
  return new AppError(
    'ERR_SUBJECT_ABSENT',
    `the registry does not hold ${object}, which a result of the run names`,
    {
      kind: 'permanent',
      object,
      remedy:
        'Push the image before the task ends and let the result name the digest that the registry gave.',
    },
  );
}

function imageKey({ repository, digest }: PinnedImage): string {
  return `${formatRepository(repository)}@${digest}`;
}
