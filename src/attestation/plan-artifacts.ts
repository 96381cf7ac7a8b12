import { formatRepository } from '../model/image-reference.ts';
import type { Repository } from '../model/image-reference.ts';
import type { EvidenceLayout } from '../model/signing-record.ts';
import { buildCosignSignStatement } from '../statements/cosign-sign-v1.ts';
import { encodeSimpleSigning } from '../statements/simple-signing.ts';
import { encodeStatement } from '../statements/statement.ts';
import type { Statement, TextStatement } from '../statements/statement.ts';
import { planArtifact } from './planned-artifact.ts';
import type { Destination, PlannedArtifact } from './planned-artifact.ts';
import type { ResolvedImage } from './resolve-subjects.ts';

/** An attestation to be made, with the images that it is attached to. */
export interface PlannedStatement {
  readonly kind: 'provenance' | 'sbom';
  readonly statement: Statement | TextStatement;
  readonly images: readonly ResolvedImage[];
  /** True if it lies on the run as well. */
  readonly isKeptOnRun: boolean;
}

/** What a run's evidence consists of, before anything is signed. */
export interface PlanInput {
  readonly images: readonly ResolvedImage[];
  readonly statements: readonly PlannedStatement[];
  readonly signImages: boolean;
  readonly layouts: readonly EvidenceLayout[];
  /** What the signer says besides in image signatures (`cosign sign -a`). */
  readonly annotations?: Readonly<Record<string, string>>;
  /** One repository for all evidence tags, instead of each image's own. */
  readonly evidenceRepository?: Repository | undefined;
}

/**
 * Lists what has to be signed and where each piece should lie: for each image a signature per layout (cosign's payload
 * for the tag, an in-toto statement for the bundle), and each statement once for all layouts and images.
 */
export function planArtifacts(input: PlanInput): readonly PlannedArtifact[] {
  const signatures = input.signImages
    ? input.images.flatMap((image) => input.layouts.map((layout) => planSignature(image, layout, input)))
    : [];
  return [...signatures, ...input.statements.map((statement) => planStatement(statement, input))];
}

function planSignature(image: ResolvedImage, layout: EvidenceLayout, input: PlanInput): PlannedArtifact {
  const name = formatRepository(image.repository);
  const subject = `${name}@${image.digest}`;
  const destinations = [destinationOf(image, layout, input)];
  if (layout === 'tag') {
    const payload = encodeSimpleSigning({
      dockerReference: name,
      digest: image.digest,
      optional: input.annotations,
    });
    return planArtifact({
      kind: 'signature',
      form: 'simple-signing',
      layout,
      subject,
      payload,
      destinations,
      isKeptOnRun: false,
    });
  }
  const statement = buildCosignSignStatement(image.digest, input.annotations);
  return planArtifact({
    kind: 'signature',
    form: 'statement',
    layout,
    subject,
    payload: encodeStatement(statement),
    predicateType: statement.predicateType,
    destinations,
    isKeptOnRun: false,
  });
}

function planStatement(
  { kind, statement, images, isKeptOnRun }: PlannedStatement,
  input: PlanInput,
): PlannedArtifact {
  const [first] = statement.subject;
  const digests = Object.entries(first?.digest ?? {}).map(([algorithm, hex]) => `${algorithm}:${hex}`);
  return planArtifact({
    kind,
    form: 'statement',
    layout: 'shared',
    subject: `${first?.name ?? ''}@${digests[0] ?? ''}`,
    payload: encodeStatement(statement),
    predicateType: statement.predicateType,
    destinations: images.flatMap((image) =>
      input.layouts.map((layout) => destinationOf(image, layout, input)),
    ),
    isKeptOnRun,
  });
}

function destinationOf(image: ResolvedImage, layout: EvidenceLayout, input: PlanInput): Destination {
  // A referrer lies in the repository of its subject by definition; only tags can be gathered elsewhere.
  const repository = layout === 'tag' ? (input.evidenceRepository ?? image.repository) : image.repository;
  return { image, repository, layout };
}
