import { buildPolicyOf } from '../wiring/attestation.ts';
import { findBuild } from '../../attestation/plan-build.ts';
import type { BuildFindings, BuildPolicy } from '../../attestation/plan-build.ts';
import { planArtifacts } from '../../attestation/plan-artifacts.ts';
import type { PlannedStatement } from '../../attestation/plan-artifacts.ts';
import { attachmentKindOf } from '../../attestation/planned-artifact.ts';
import type { Destination, PlannedArtifact } from '../../attestation/planned-artifact.ts';
import type { ResolvedImage } from '../../attestation/resolve-subjects.ts';
import { formatRepository } from '../../model/image-reference.ts';
import { isAppError } from '../../model/errors.ts';
import { mediaTypes } from '../../model/oci.ts';
import { attachmentTag } from '../../registry/attachments-by-tag.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { getProvenanceBuilder } from '../../statements/provenance-formats.ts';
import { describeSource } from '../../tekton/finding.ts';
import type { Source } from '../../tekton/finding.ts';
import { distinctImages } from '../../tekton/subjects.ts';
import { isComplete, isOurs, nameOfRun, parseTaskRun, succeeded } from '../../tekton/task-run.ts';
import type { TaskRun } from '../../tekton/task-run.ts';

/** A subject or material with the reason why it is one. */
interface ExplainedArtifact {
  readonly name: string;
  readonly digest: Readonly<Record<string, string>>;
  /** The results, artifacts, params or containers that it came from. */
  readonly from: readonly string[];
}

/** Something in the run that says less than it seems to. */
interface ExplainedProblem {
  readonly severity: 'error' | 'notice';
  readonly code: string;
  readonly message: string;
}

/** One thing that would be signed. */
interface ExplainedArtifactToSign {
  readonly kind: PlannedArtifact['kind'];
  readonly subject: string;
  /** Tags, referrers and annotations that would hold it. */
  readonly destinations: readonly string[];
  /** What would be signed: a statement, or cosign's payload for an image. */
  readonly payload: unknown;
}

/** What one run would get. */
export interface RunPreview {
  /** `namespace/name`. */
  readonly run: string;
  readonly outcome: 'signed' | 'nothing-to-sign' | 'unreadable';
  /** Why, in one sentence. */
  readonly reason: string;
  readonly subjects: readonly (ExplainedArtifact & { readonly image: boolean })[];
  readonly materials: readonly ExplainedArtifact[];
  readonly problems: readonly ExplainedProblem[];
  readonly artifacts: readonly ExplainedArtifactToSign[];
}

/** What a TaskRun object would get by these settings; nobody else is asked. */
export function previewRun(object: unknown, settings: Settings): RunPreview {
  let run: TaskRun;
  try {
    run = parseTaskRun(object);
  } catch (error) {
    if (!isAppError(error)) throw error;
    const problem = { severity: 'error', code: error.code, message: error.message } as const;
    const reason = 'it cannot be read, so nothing is signed';
    return { run: error.object ?? '', outcome: 'unreadable', reason, ...nothing, problems: [problem] };
  }
  const refusal = findRefusal(run, settings);
  const name = nameOfRun(run);
  if (refusal !== undefined) return { run: name, outcome: 'nothing-to-sign', reason: refusal, ...nothing };
  const findings = findBuild(run);
  const artifacts = planEverything(run, findings, buildPolicyOf(settings));
  return {
    run: name,
    ...verdictOf(findings, artifacts),
    subjects: findings.subjects.map(({ name: subject, digest, sources, image }) => ({
      name: subject,
      digest,
      from: sources.map(describeSource),
      image: image !== undefined,
    })),
    materials: findings.materials.map(({ uri, digest, sources }) => ({
      name: uri,
      digest,
      from: sources.map(describeSource),
    })),
    problems: findings.problems.map(({ severity, code, message, source }) => ({
      severity,
      code,
      message: withSource(message, source),
    })),
    artifacts: artifacts.map((artifact) => explain(artifact, run)),
  };
}

const nothing = { subjects: [], materials: [], problems: [], artifacts: [] };

function findRefusal(run: TaskRun, settings: Settings): string | undefined {
  if (!isOurs(run, settings.controller.managedBy)) {
    return `it is managed by ${run.spec.managedBy}, which the settings do not list, so it is left alone`;
  }
  if (!isComplete(run)) return 'it is not complete; nothing is signed before it is';
  if (succeeded(run)) return undefined;
  const verdict = run.status.conditions.find(({ type }) => type === 'Succeeded');
  return `it failed (${verdict?.reason ?? 'no reason given'}), so nothing is signed`;
}

function verdictOf(
  { subjects }: BuildFindings,
  artifacts: readonly PlannedArtifact[],
): Pick<RunPreview, 'outcome' | 'reason'> {
  if (subjects.length === 0) {
    return { outcome: 'nothing-to-sign', reason: 'none of its results names something that it built' };
  }
  if (artifacts.length === 0) {
    return {
      outcome: 'nothing-to-sign',
      reason: 'the settings switch off everything that it could get',
    };
  }
  const hasImages = subjects.some(({ image }) => image !== undefined);
  const reason = hasImages
    ? 'provided that the registry holds each of its images'
    : 'on the run alone, since nothing of it is an image';
  return { outcome: 'signed', reason };
}

/** As `planBuild` plans, with every image taken to be a single one that the registry holds. */
function planEverything(
  run: TaskRun,
  { subjects, materials }: BuildFindings,
  policy: BuildPolicy,
): readonly PlannedArtifact[] {
  const images = distinctImages(subjects).map((image): ResolvedImage => ({
    ...image,
    descriptor: { mediaType: mediaTypes.ociManifest, digest: image.digest, size: 0 },
  }));
  const statements: PlannedStatement[] = [];
  if (policy.provenance !== undefined && subjects.length > 0) {
    const { format, builderId, inRegistry } = policy.provenance;
    statements.push({
      kind: 'provenance',
      statement: getProvenanceBuilder(format)({ run, subjects, materials, builderId }),
      images: inRegistry ? images : [],
      isKeptOnRun: policy.isKeptOnRun || subjects.some(({ image }) => image === undefined),
    });
  }
  const { signImages, layouts, evidenceRepository } = policy;
  return planArtifacts({ images, statements, signImages, layouts, evidenceRepository });
}

function explain(artifact: PlannedArtifact, run: TaskRun): ExplainedArtifactToSign {
  const { kind, subject, destinations, isKeptOnRun, payload } = artifact;
  return {
    kind,
    subject,
    destinations: [
      ...destinations.map((destination) => describeDestination(destination, artifact)),
      ...(isKeptOnRun ? [`annotations of TaskRun ${nameOfRun(run)}`] : []),
    ],
    payload: JSON.parse(Buffer.from(payload).toString('utf8')) as unknown,
  };
}

function describeDestination({ image, repository, layout }: Destination, { form }: PlannedArtifact): string {
  const name = formatRepository(repository);
  return layout === 'tag'
    ? `tag ${name}:${attachmentTag(image.digest, attachmentKindOf(form))}`
    : `referrer of ${name}@${image.digest}`;
}

function withSource(message: string, source: Source): string {
  const where = describeSource(source);
  return source.names.some((name) => message.includes(name)) ? message : `${where}: ${message}`;
}
