import { isAppError } from '../model/errors.ts';
import { formatRepository, parsePinnedImage } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import { splitDigest } from '../model/digest.ts';
import { findArtifactDigest } from './artifact-digest.ts';
import type { Problem, Source } from './finding.ts';
import { collectFindings, unreadable } from './named-artifacts.ts';
import type { Finding, NamedArtifact } from './named-artifacts.ts';
import { findNativeOutputs } from './native-artifacts.ts';
import { findResultPairs } from './result-pairs.ts';
import { findArtifactObjects } from './artifact-objects.ts';
import { findRegistryLocation, stripImageScheme } from './registry-location.ts';
import type { TaskRun } from './task-run.ts';

/** Something that a run says it built. */
export interface FoundSubject extends NamedArtifact {
  /** Set if it is declared as an image: it gets an image signature. Two subjects may name one image by two names. */
  readonly image?: PinnedImage;
  /**
   * Set where a thing that is not declared as an image has a name that a registry could know: Chains attaches the
   * attestation there. It may well be no registry at all. Beside `image` it has no meaning of its own.
   */
  readonly attachment?: PinnedImage;
}

/**
 * What a run says it built, by all of Chains' type hints and Tekton's own artifacts. Order: images of
 * `*IMAGE_URL`/`*IMAGE_DIGEST` pairs, of `IMAGES`, of `*ARTIFACT_OUTPUTS`; then artifacts of
 * `*ARTIFACT_URI`/`*ARTIFACT_DIGEST` pairs, of `*ARTIFACT_OUTPUTS`; then `status.artifacts.outputs` with buildOutput; in
 * each of these the order in the object. What Chains skips in silence is a problem here.
 *
 * Names of images are normalised (`docker.io/app` is `index.docker.io/library/app`; a tag, `oci://` and `docker://` are
 * dropped); other names stay as they are. An image in `*ARTIFACT_OUTPUTS` whose uri is not its normalised name is, as
 * with Chains, two subjects.
 */
export function findSubjects(run: TaskRun): {
  readonly subjects: readonly FoundSubject[];
  readonly problems: readonly Problem[];
} {
  const { artifacts, problems } = collectFindings(findEverySubject(run));
  return { subjects: artifacts, problems };
}

/** The images among `subjects`, each once: what gets an image signature. */
export function distinctImages(subjects: readonly FoundSubject[]): readonly PinnedImage[] {
  const images = new Map<string, PinnedImage>();
  for (const { image } of subjects) {
    if (image !== undefined) images.set(`${formatRepository(image.repository)}@${image.digest}`, image);
  }
  return [...images.values()];
}

function* findEverySubject(run: TaskRun): Generator<Finding<FoundSubject>> {
  yield* findPairedImages(run);
  yield* findListedImages(run);
  yield* findBuiltImages(run);
  yield* findPairedArtifacts(run);
  yield* findObjectArtifacts(run);
  yield* findNativeOutputs(run);
}

function* findPairedImages(run: TaskRun): Generator<Finding<FoundSubject>> {
  for (const finding of findResultPairs(run, { uri: 'IMAGE_URL', digest: 'IMAGE_DIGEST' })) {
    yield 'problem' in finding
      ? finding
      : readImage(`${finding.pair.uri}@${finding.pair.digest}`, finding.pair.source);
  }
}

function* findListedImages(run: TaskRun): Generator<Finding<FoundSubject>> {
  const source: Source = { kind: 'result', names: ['IMAGES'] };
  for (const { value } of run.status.results.filter(({ name }) => name === 'IMAGES')) {
    if (typeof value !== 'string') {
      yield unreadable(source, 'result IMAGES is no string with one NAME@sha256:HEX per comma or line');
      continue;
    }
    for (const entry of value.split(/[,\n]/)) {
      if (entry.trim() !== '') yield readImage(entry.trim(), source);
    }
  }
}

// The image form of an output that its author marked as a build artifact; its uri form follows in findObjectArtifacts.
function* findBuiltImages(run: TaskRun): Generator<Finding<FoundSubject>> {
  for (const finding of findArtifactObjects(run, 'ARTIFACT_OUTPUTS')) {
    if ('problem' in finding || !finding.object.isBuildArtifact) continue;
    const { uri, digest, source } = finding.object;
    const image = findRegistryLocation(uri, digest);
    if (image !== undefined) yield { artifact: imageSubject(image, source) };
  }
}

function* findPairedArtifacts(run: TaskRun): Generator<Finding<FoundSubject>> {
  for (const finding of findResultPairs(run, { uri: 'ARTIFACT_URI', digest: 'ARTIFACT_DIGEST' })) {
    if ('problem' in finding) {
      yield finding;
      continue;
    }
    const { uri, digest: text, source } = finding.pair;
    const digest = findArtifactDigest(text);
    if (digest === undefined) {
      const name = source.names.at(-1) ?? '';
      yield unreadable(
        source,
        `result ${name}: "${text.slice(0, 160)}" is no digest of the form ALGORITHM:HEX`,
      );
      continue;
    }
    const attachment = findAttachment(uri, digest);
    yield {
      artifact: { name: uri, digest: { [digest.algorithm]: digest.hex }, sources: [source], ...attachment },
    };
  }
}

function* findObjectArtifacts(run: TaskRun): Generator<Finding<FoundSubject>> {
  for (const finding of findArtifactObjects(run, 'ARTIFACT_OUTPUTS')) {
    if ('problem' in finding) {
      yield finding;
      continue;
    }
    const { uri, digest, source, isBuildArtifact } = finding.object;
    const image = isBuildArtifact ? findRegistryLocation(uri, digest) : undefined;
    const place = image === undefined ? findAttachment(uri, digest) : { image };
    yield {
      artifact: { name: uri, digest: { [digest.algorithm]: digest.hex }, sources: [source], ...place },
    };
  }
}

function findAttachment(
  uri: string,
  digest: { readonly algorithm: string; readonly hex: string },
): { readonly attachment?: PinnedImage } {
  const attachment = findRegistryLocation(uri, digest, { hostRequired: true });
  return attachment === undefined ? {} : { attachment };
}

function readImage(text: string, source: Source): Finding<FoundSubject> {
  try {
    const image = parsePinnedImage(stripImageScheme(text));
    if (splitDigest(image.digest).algorithm !== 'sha256') {
      return unreadable(source, `"${text.slice(0, 200)}" is no image reference: its digest is not sha256`);
    }
    return { artifact: imageSubject(image, source) };
  } catch (error) {
    if (!isAppError(error)) throw error;
    return unreadable(source, error.message);
  }
}

function imageSubject(image: PinnedImage, source: Source): FoundSubject {
  return {
    name: formatRepository(image.repository),
    digest: { sha256: splitDigest(image.digest).hex },
    image,
    sources: [source],
  };
}
