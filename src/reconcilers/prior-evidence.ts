import type { PinnedImage, Repository } from '../model/image-reference.ts';
import type { SigningKey } from '../model/signature.ts';
import type { OwnEvidence } from '../attestation/own-evidence.ts';
import { findOwnEvidence } from '../attestation/survey-evidence.ts';
import type { ImageStore } from '../registry/image-store.ts';
import { isAppError } from '../model/errors.ts';
import { findSubject, parseStatement } from '../statements/statement.ts';
import type { Statement } from '../statements/statement.ts';
import { distinctImages, findSubjects } from '../tekton/subjects.ts';
import type { TaskRun } from '../tekton/task-run.ts';

/** What looking for evidence of an earlier signer takes. */
export interface PriorEvidenceOptions {
  readonly store: ImageStore;
  /** The repository that gathers all evidence tags, if the settings name one. */
  readonly evidenceRepository: Repository | undefined;
  readonly evidence: OwnEvidence;
  readonly key: SigningKey;
  readonly signal: AbortSignal;
}

/**
 * True if every image of a run that is marked as signed has provenance of this very run in its registry, verified under
 * our own identity: so Tekton Chains left it before a switch-over, or we did before the record was lost. A run without
 * images leaves no such evidence.
 */
export async function hasPriorEvidence(run: TaskRun, options: PriorEvidenceOptions): Promise<boolean> {
  const images = distinctImages(findSubjects(run).subjects);
  if (images.length === 0) return false;
  const verdicts = await Promise.all(images.map((image) => hasProvenance(run, image, options)));
  return verdicts.every((verdict) => verdict);
}

async function hasProvenance(
  run: TaskRun,
  image: PinnedImage,
  options: PriorEvidenceOptions,
): Promise<boolean> {
  for (const layout of ['tag', 'referrer'] as const) {
    const gathered = layout === 'tag' ? options.evidenceRepository : undefined;
    const place = { repository: gathered ?? image.repository, digest: image.digest };
    const found = await findOwnEvidence(options.store, place, { ...options, layout, form: 'statement' });
    if (found.some(({ payload }) => isProvenanceOf(payload, run, image))) return true;
  }
  return false;
}

function isProvenanceOf(payload: Uint8Array, run: TaskRun, image: PinnedImage): boolean {
  const statement = readStatement(payload);
  if (statement === undefined || findSubject(statement, image.digest) === undefined) return false;
  if (!statement.predicateType.startsWith('https://slsa.dev/provenance/')) return false;
  const { metadata } = statement.predicate;
  const finished =
    typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata)
      ? (metadata as Record<string, unknown>)['buildFinishedOn']
      : undefined;
  const { completionTime } = run.status;
  // Two runs may build one digest; the time of completion tells whose provenance this is.
  return (
    typeof finished === 'string' &&
    completionTime !== undefined &&
    Math.floor(Date.parse(finished) / 1000) === Math.floor(Date.parse(completionTime) / 1000)
  );
}

function readStatement(payload: Uint8Array): Statement | undefined {
  try {
    return parseStatement(payload);
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}
