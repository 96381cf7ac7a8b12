import { digestOf } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';
import { formatRepository } from '../model/image-reference.ts';
import { mediaTypes } from '../model/oci.ts';
import type { Repository } from '../model/image-reference.ts';
import type { ArtifactKind, EvidenceLayout } from '../model/signing-record.ts';
import { inTotoPayloadType, preAuthEncoding } from '../statements/dsse.ts';
import type { ResolvedImage } from './resolve-subjects.ts';

/**
 * What is signed. `simple-signing`: cosign's payload for an image, signed as it is and logged as `hashedrekord`.
 * `statement`: an in-toto statement in a DSSE envelope, logged as `dsse`.
 */
export type PayloadForm = 'simple-signing' | 'statement';

/** One place beside one image where a piece of evidence should lie. */
export interface Destination {
  /** The image that the evidence is about. */
  readonly image: ResolvedImage;
  /** The repository that holds the evidence: the image's own unless the settings name another. */
  readonly repository: Repository;
  readonly layout: EvidenceLayout;
}

/** One thing to sign, with what it is about and where it should lie. */
export interface PlannedArtifact {
  readonly kind: ArtifactKind;
  readonly form: PayloadForm;
  /** `shared` where one signature and one log entry serve both layouts. */
  readonly layout: EvidenceLayout | 'shared';
  /** `NAME@DIGEST` of the first subject. */
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly payloadDigest: Digest;
  /** SHA-256 of what a statement's signature is over: DSSE's pre-authentication encoding. */
  readonly signedDigest?: Digest;
  /** Predicate type of a statement. */
  readonly predicateType?: string;
  readonly destinations: readonly Destination[];
  /** True if it lies on the run as well (Tekton Chains' storage `tekton`). */
  readonly isKeptOnRun: boolean;
}

/** Gives the artifact with the digests of its payload and of what is signed, and each destination once. */
export function planArtifact(
  artifact: Omit<PlannedArtifact, 'payloadDigest' | 'signedDigest'>,
): PlannedArtifact {
  const destinations = new Map(artifact.destinations.map((place) => [destinationKey(place), place]));
  return {
    ...artifact,
    destinations: [...destinations.values()],
    payloadDigest: digestOf(artifact.payload),
    ...(artifact.form === 'statement'
      ? { signedDigest: digestOf(preAuthEncoding(inTotoPayloadType, artifact.payload)) }
      : {}),
  };
}

/** What tells one artifact of a run from another. The payload is part of it: a changed payload is another artifact. */
export function artifactKey(artifact: Pick<PlannedArtifact, 'kind' | 'layout' | 'payloadDigest'>): string {
  return `${artifact.kind}/${artifact.layout}/${artifact.payloadDigest}`;
}

/** What tells one destination from another. */
export function destinationKey({ image, repository, layout }: Destination): string {
  return `${layout}/${formatRepository(repository)}@${image.digest}`;
}

/** Which of cosign's tags holds this form. */
export function attachmentKindOf(form: PayloadForm): 'sig' | 'att' {
  return form === 'simple-signing' ? 'sig' : 'att';
}

/** The media type of this form's layer under cosign's tags. */
export function layerMediaTypeOf(form: PayloadForm): string {
  return form === 'simple-signing' ? mediaTypes.simpleSigning : mediaTypes.dsseEnvelope;
}

/** What remains where cosign's tags cannot hold the evidence: artifacts of that layout go, and shared ones lose it. */
export function withoutTags(artifacts: readonly PlannedArtifact[]): readonly PlannedArtifact[] {
  return artifacts
    .filter(({ layout }) => layout !== 'tag')
    .map((artifact) => ({
      ...artifact,
      destinations: artifact.destinations.filter(({ layout }) => layout !== 'tag'),
    }));
}
