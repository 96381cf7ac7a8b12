import type { SigningKey } from '../model/signature.ts';
import { readAttachments } from '../registry/attachments-by-tag.ts';
import { listBundles } from '../registry/attachments-by-referrer.ts';
import type { ImageStore } from '../registry/image-store.ts';
import { isUnreadableContent } from '../registry/registry-faults.ts';
import { registryLimits } from '../registry/registry-limits.ts';
import { isAppError } from '../model/errors.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { PinnedImage } from '../model/image-reference.ts';
import type { EvidenceLayout } from '../model/signing-record.ts';
import type { ArtifactProgress } from './artifact-progress.ts';
import type { FoundEvidence, OwnEvidence } from './own-evidence.ts';
import { attachmentKindOf, destinationKey } from './planned-artifact.ts';
import type { Destination, PayloadForm, PlannedArtifact } from './planned-artifact.ts';

/** How evidence is looked for and judged. */
export interface SurveyOptions {
  readonly evidence: OwnEvidence;
  /** Our present key: whose identity counts as ours. */
  readonly key: SigningKey;
  readonly signal: AbortSignal;
}

/** Evidence beside an image that verified as our own, with its place. */
export interface LocatedEvidence extends FoundEvidence {
  /** `HOST/PATH@DIGEST` of the manifest or layer that holds it. */
  readonly ref: string;
}

/**
 * Notes with each artifact which of its destinations hold it already, verified as ours. What an earlier try recorded is
 * not enough: registries lose things, and records can be written by others. A place that cannot be looked into is a
 * fault of the artifacts that belong there, and leaves the others alone.
 */
export async function surveyEvidence(
  progress: readonly ArtifactProgress[],
  store: ImageStore,
  options: SurveyOptions,
): Promise<void> {
  const places = new Map<string, { destination: Destination; form: PayloadForm }>();
  for (const { planned } of progress) {
    for (const destination of planned.destinations) {
      places.set(`${planned.form}/${destinationKey(destination)}`, { destination, form: planned.form });
    }
  }
  await Promise.all(
    [...places.values()].map(async ({ destination, form }) => {
      const { image, repository, layout } = destination;
      const wanted = progress.filter(
        ({ planned }) => planned.form === form && belongsTo(planned, destination),
      );
      try {
        const place = { repository, digest: image.digest };
        noteFound(wanted, destination, await findOwnEvidence(store, place, { ...options, layout, form }));
      } catch (error) {
        if (!isAppError(error)) throw error;
        for (const artifact of wanted) artifact.noteUnclear(destination, error);
      }
    }),
  );
}

function belongsTo({ destinations }: PlannedArtifact, place: Destination): boolean {
  return destinations.some((own) => destinationKey(own) === destinationKey(place));
}

/** All evidence of one layout and form beside an image that verifies as our own, newest first, within bounds. */
export async function findOwnEvidence(
  store: ImageStore,
  image: PinnedImage,
  options: SurveyOptions & { readonly layout: EvidenceLayout; readonly form: PayloadForm },
): Promise<readonly LocatedEvidence[]> {
  return options.layout === 'tag' ? fromTag(store, image, options) : fromReferrers(store, image, options);
}

async function fromTag(
  store: ImageStore,
  image: PinnedImage,
  { evidence, key, form, signal }: SurveyOptions & { readonly form: PayloadForm },
): Promise<readonly LocatedEvidence[]> {
  const attachments = await readAttachments(store, image, attachmentKindOf(form), { signal });
  const newest = attachments.toReversed().slice(0, registryLimits.duplicateCandidates);
  const found: LocatedEvidence[] = [];
  for (const { descriptor, annotations, load } of newest) {
    const content = await orNothing(() => load({ signal }));
    if (content === undefined) continue;
    const { mediaType } = descriptor;
    const verified = evidence.verify({ layout: 'tag', mediaType, content, annotations }, key);
    if (verified !== undefined) found.push({ ...verified, ref: refOf(image, descriptor.digest) });
  }
  return found;
}

async function fromReferrers(
  store: ImageStore,
  image: PinnedImage,
  { evidence, key, signal }: SurveyOptions,
): Promise<readonly LocatedEvidence[]> {
  const { candidates } = await listBundles(store, image, { signal });
  const found: LocatedEvidence[] = [];
  for (const { descriptor, load } of candidates.toReversed().slice(0, registryLimits.duplicateCandidates)) {
    const bytes = await orNothing(() => load({ signal }));
    const verified = bytes === undefined ? undefined : evidence.verify({ layout: 'bundle', bytes }, key);
    if (verified !== undefined) found.push({ ...verified, ref: refOf(image, descriptor.digest) });
  }
  return found;
}

/** What was planted unreadable beside the image is nobody's evidence. */
async function orNothing<Content>(load: () => Promise<Content>): Promise<Content | undefined> {
  try {
    return await load();
  } catch (error) {
    if (isUnreadableContent(error)) return undefined;
    throw error;
  }
}

function noteFound(
  wanted: readonly ArtifactProgress[],
  destination: Destination,
  found: readonly LocatedEvidence[],
): void {
  for (const artifact of wanted) {
    const match = found.find(({ payloadDigest }) => payloadDigest === artifact.planned.payloadDigest);
    if (match === undefined) continue;
    artifact.noteStored(destination, match.ref);
    artifact.noteEntries(match.entries);
  }
}

function refOf({ repository }: PinnedImage, digest: string): string {
  return `${formatRepository(repository)}@${digest}`;
}
