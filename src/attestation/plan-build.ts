import { AppError } from '../model/errors.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { PinnedImage, Repository } from '../model/image-reference.ts';
import type { EvidenceLayout } from '../model/signing-record.ts';
import type { ImageStore } from '../registry/image-store.ts';
import { getProvenanceBuilder } from '../statements/provenance-formats.ts';
import type { Problem } from '../tekton/finding.ts';
import { findMaterials } from '../tekton/materials.ts';
import type { FoundMaterial } from '../tekton/materials.ts';
import { findSubjects } from '../tekton/subjects.ts';
import type { FoundSubject } from '../tekton/subjects.ts';
import { nameOfRun, succeeded } from '../tekton/task-run.ts';
import type { TaskRun } from '../tekton/task-run.ts';
import { planArtifacts } from './plan-artifacts.ts';
import type { PlannedStatement } from './plan-artifacts.ts';
import type { PlannedArtifact } from './planned-artifact.ts';
import { isRunFault } from './run-fault.ts';
import { resolveSubjects } from './resolve-subjects.ts';
import type { ResolvedImage } from './resolve-subjects.ts';

/** What is attested of a build, and where the evidence goes. */
export interface BuildPolicy {
  /** Absent: no provenance. */
  readonly provenance?: {
    readonly format: string;
    readonly builderId: string;
    /** False: it lies on the run alone. */
    readonly inRegistry: boolean;
  };
  readonly signImages: boolean;
  /** Empty: nothing goes to the registry. */
  readonly layouts: readonly EvidenceLayout[];
  readonly evidenceRepository?: Repository | undefined;
  /** Whether provenance lies on the run also where every subject is an image. */
  readonly isKeptOnRun: boolean;
  /** Who does not allow images of a repository to be signed for this run; undefined: nobody objects. */
  readonly refusesRepository?: (repository: Repository) => string | undefined;
}

/** What a {@link StatementSource} is told besides the images. */
export interface StatementRequest {
  /** The completed run that built them. */
  readonly run: TaskRun;
  readonly signal: AbortSignal;
}

/** Makes further statements about images, such as an SBOM; one for each call of the table in `commands/`. */
export interface StatementSource {
  makeStatements(
    images: readonly ResolvedImage[],
    store: ImageStore,
    request: StatementRequest,
  ): Promise<{ readonly statements: readonly PlannedStatement[]; readonly faults: readonly AppError[] }>;
}

/** What a run says about itself, without asking anybody else. */
export interface BuildFindings {
  readonly subjects: readonly FoundSubject[];
  readonly materials: readonly FoundMaterial[];
  readonly problems: readonly Problem[];
}

/** Everything to be signed for one run. */
export interface BuildPlan {
  readonly artifacts: readonly PlannedArtifact[];
  /** The provenance among them, if there is one. */
  readonly provenance?: PlannedArtifact;
  readonly faults: readonly AppError[];
}

/**
 * Reads subjects and materials from a completed run. A run that failed has none: what it left behind did not pass its
 * own build, and a signature would say that it did.
 */
export function findBuild(run: TaskRun): BuildFindings {
  if (!succeeded(run)) return { subjects: [], materials: [], problems: [] };
  const { subjects, problems } = findSubjects(run);
  const found = findMaterials(run);
  return { subjects, materials: found.materials, problems: [...problems, ...found.problems] };
}

/**
 * Plans what is signed for a run: asks the registry for its image subjects, makes the provenance statement and the further
 * statements. What cannot be signed is a fault in the plan; the rest is unaffected, except that the provenance waits
 * until every subject is either found or known to be missing. Throws ERR_STATEMENT_ENCODE, ERR_STATEMENT_FORMAT.
 */
export async function planBuild(
  run: TaskRun,
  policy: BuildPolicy,
  parts: {
    readonly store: ImageStore;
    readonly sources: readonly StatementSource[];
    readonly signal: AbortSignal;
  },
): Promise<BuildPlan> {
  const { subjects: found, materials, problems } = findBuild(run);
  const { allowed, refusals } = allowedSubjects(found, policy);
  const resolved = await resolveSubjects(allowed, parts.store, parts);
  const { images, subjects, hasOtherSubjects } = resolved;
  const faults = [...refusals, ...resolved.faults];
  const statements: PlannedStatement[] = [];
  // A subject that cannot be asked for now would be left out, and the next try would make another provenance.
  const areSubjectsKnown = faults.every(isRunFault);
  if (policy.provenance !== undefined && areSubjectsKnown && subjects.length > 0) {
    const build = getProvenanceBuilder(policy.provenance.format);
    const { builderId, inRegistry } = policy.provenance;
    statements.push({
      kind: 'provenance',
      statement: build({ run, subjects, materials, builderId }),
      images: inRegistry ? images : [],
      isKeptOnRun: hasOtherSubjects || policy.isKeptOnRun,
    });
  }
  const further = await Promise.all(
    parts.sources.map((source) => source.makeStatements(images, parts.store, { run, signal: parts.signal })),
  );
  const artifacts = planArtifacts({
    images,
    statements: [...statements, ...further.flatMap((made) => made.statements)],
    signImages: policy.signImages,
    layouts: policy.layouts,
    evidenceRepository: policy.evidenceRepository,
  });
  const provenance = artifacts.find(({ kind }) => kind === 'provenance');
  return {
    artifacts,
    ...(provenance === undefined ? {} : { provenance }),
    faults: [
      ...faults,
      ...problems.flatMap((problem) => toFault(problem, run)),
      ...further.flatMap((made) => made.faults),
    ],
  };
}

/** Images of repositories that the policy does not allow are left out, each with a fault. */
function allowedSubjects(
  found: readonly FoundSubject[],
  { refusesRepository = () => undefined }: BuildPolicy,
): { readonly allowed: readonly FoundSubject[]; readonly refusals: readonly AppError[] } {
  const judged = found.map((subject) => {
    const by = subject.image === undefined ? undefined : refusesRepository(subject.image.repository);
    return { subject, by };
  });
  return {
    allowed: judged.filter(({ by }) => by === undefined).map(({ subject }) => subject),
    refusals: judged.flatMap(({ subject: { image }, by }) =>
      by === undefined || image === undefined ? [] : [refusedRepository(image, by)],
    ),
  };
}

function refusedRepository({ repository, digest }: PinnedImage, by: string): AppError {
  const name = formatRepository(repository);
  return new AppError('ERR_SUBJECT_REPOSITORY', `${by} does not allow images of ${name} to be signed`, {
    kind: 'permanent',
    object: `${name}@${digest}`,
    remedy:
      'Push to a repository that the SigningPolicy lists, or list this one there and run the task again.',
  });
}

function toFault(problem: Problem, run: TaskRun): readonly AppError[] {
  if (problem.severity === 'notice') return [];
  return [
    new AppError(problem.code, problem.message, {
      kind: 'permanent',
      object: nameOfRun(run),
      remedy: 'Correct the results that the task writes, and run it again.',
    }),
  ];
}
