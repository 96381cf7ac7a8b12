import { splitDigest } from '../model/digest.ts';
import type { PinnedImage, Repository } from '../model/image-reference.ts';
import { mediaTypes } from '../model/oci.ts';
import type { SigningKey } from '../model/signature.ts';
import type { OwnEvidence } from '../attestation/own-evidence.ts';
import { findBuild } from '../attestation/plan-build.ts';
import { findOwnEvidence } from '../attestation/survey-evidence.ts';
import type { ImageStore } from '../registry/image-store.ts';
import { findRunSignature, runShortKey } from '../storage/run-annotation-storage.ts';
import { isAppError } from '../model/errors.ts';
import { parseStatement } from '../statements/statement.ts';
import type { Statement } from '../statements/statement.ts';
import { isJsonObject } from '../statements/strict-json.ts';
import type { JsonValue } from '../statements/strict-json.ts';
import { distinctImages } from '../tekton/subjects.ts';
import type { FoundSubject } from '../tekton/subjects.ts';
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
 * True if a run that is marked as signed has provenance of its own, verified under our own identity or key: beside every
 * one of its images, or on the run itself. So Tekton Chains left it before a switch-over, or we did before the record was
 * lost. Also true if the run left nothing to sign: such a mark claims nothing. What a certificate signed and only the run
 * holds cannot be told: no log entry lies beside it.
 */
export async function hasPriorEvidence(run: TaskRun, options: PriorEvidenceOptions): Promise<boolean> {
  const { subjects, problems } = findBuild(run);
  if (subjects.length === 0) return problems.length === 0;
  const images = subjects.filter(({ image }) => image !== undefined);
  // Chains' newer formats leave files out where there are images.
  if (isOnRun(run, images.length === 0 ? subjects : images, options)) return true;
  if (images.length === 0) return false;
  const verdicts = await Promise.all(distinctImages(images).map((image) => isBeside(image, run, options)));
  return verdicts.every((verdict) => verdict);
}

function isOnRun(
  run: TaskRun,
  subjects: readonly FoundSubject[],
  { evidence, key }: PriorEvidenceOptions,
): boolean {
  const { annotations, uid } = run.metadata;
  const content = findRunSignature(annotations, runShortKey('TaskRun', uid));
  if (content === undefined) return false;
  const layer = { layout: 'tag', mediaType: mediaTypes.dsseEnvelope, content, annotations: {} } as const;
  const found = evidence.verify(layer, key);
  return found !== undefined && subjects.every(({ digest }) => isProvenanceOf(found.payload, run, digest));
}

async function isBeside(image: PinnedImage, run: TaskRun, options: PriorEvidenceOptions): Promise<boolean> {
  const { algorithm, hex } = splitDigest(image.digest);
  for (const layout of ['tag', 'referrer'] as const) {
    const gathered = layout === 'tag' ? options.evidenceRepository : undefined;
    const place = { repository: gathered ?? image.repository, digest: image.digest };
    const found = await findOwnEvidence(options.store, place, { ...options, layout, form: 'statement' });
    if (found.some(({ payload }) => isProvenanceOf(payload, run, { [algorithm]: hex }))) return true;
  }
  return false;
}

/** Whether this is provenance of that run for a subject with one of the digests. */
function isProvenanceOf(
  payload: Uint8Array,
  run: TaskRun,
  digest: Readonly<Record<string, string>>,
): boolean {
  const statement = readStatement(payload);
  if (statement?.predicateType.startsWith('https://slsa.dev/provenance/') !== true) return false;
  const { completionTime } = run.status;
  const finished = finishTimeOf(statement);
  // Two runs may build one digest; the time of completion tells whose provenance this is.
  const isOfRun =
    typeof finished === 'string' &&
    completionTime !== undefined &&
    Math.floor(Date.parse(finished) / 1000) === Math.floor(Date.parse(completionTime) / 1000);
  return isOfRun && statement.subject.some((subject) => sharesDigest(subject.digest, digest));
}

function sharesDigest(
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(one).some(
    ([algorithm, hex]) => Object.hasOwn(other, algorithm) && other[algorithm] === hex,
  );
}

/** When the build ended, as SLSA provenance v0.2 or v1 says; Chains may have made either. */
function finishTimeOf({ predicate }: Statement): JsonValue | undefined {
  const v02 = memberOf(predicate['metadata'], 'buildFinishedOn');
  return v02 ?? memberOf(memberOf(predicate['runDetails'], 'metadata'), 'finishedOn');
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isJsonObject(value) ? value[name] : undefined;
}

function readStatement(payload: Uint8Array): Statement | undefined {
  try {
    return parseStatement(payload);
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}
