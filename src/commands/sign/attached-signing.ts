import { ArtifactProgress } from '../../attestation/artifact-progress.ts';
import type { SignedProgress } from '../../attestation/artifact-progress.ts';
import { OwnEvidence } from '../../attestation/own-evidence.ts';
import type { PlannedArtifact } from '../../attestation/planned-artifact.ts';
import { resolveSubjects } from '../../attestation/resolve-subjects.ts';
import type { ResolvedImage } from '../../attestation/resolve-subjects.ts';
import { signArtifact, toWitnessed } from '../../attestation/signed-artifact.ts';
import { storeEvidence } from '../../attestation/store-evidence.ts';
import { surveyEvidence } from '../../attestation/survey-evidence.ts';
import { Witnessing, fitToLogs, noTestimony } from '../../attestation/witnessing.ts';
import { AppError } from '../../model/errors.ts';
import { splitDigest } from '../../model/digest.ts';
import { formatRepository } from '../../model/image-reference.ts';
import type { PinnedImage } from '../../model/image-reference.ts';
import { loggedEntriesOf } from '../../model/signing-record.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { UserSigning } from '../wiring/user-signing.ts';

/** Where one piece of evidence came to lie. */
export interface AttachedEvidence {
  readonly kind: string;
  readonly subject: string;
  /** `HOST/PATH@DIGEST` by layout. */
  readonly refs: readonly { readonly layout: string; readonly ref: string }[];
  /** Of the first log. */
  readonly logIndex?: number;
  /** Entries of all logs. */
  readonly logEntries: readonly { readonly log: string; readonly logIndex: number }[];
  /** False if all of it was there. */
  readonly isNew: boolean;
}

/**
 * The image with what signing takes of it; the platforms of an image index follow it if they are wanted, too. Throws
 * ERR_SUBJECT_ABSENT, ERR_SUBJECT_UNREADABLE, and what the registry throws.
 */
export async function resolveImages(
  pinned: PinnedImage,
  store: ImageStore,
  { recursive, signal }: { readonly recursive: boolean; readonly signal: AbortSignal },
): Promise<readonly ResolvedImage[]> {
  const { algorithm, hex } = splitDigest(pinned.digest);
  const subject = {
    name: formatRepository(pinned.repository),
    digest: { [algorithm]: hex },
    image: pinned,
    sources: [],
  };
  const { images, faults } = await resolveSubjects([subject], store, { signal });
  const [fault] = faults;
  if (fault !== undefined) throw fault;
  return recursive ? images : images.slice(0, 1);
}

/**
 * Signs, logs and stores what is missing of the artifacts, as the controller does: evidence of the same signer and content
 * that is there is left as it is. Throws the first fault.
 */
export async function attachSigned(
  artifacts: readonly PlannedArtifact[],
  { settings, signer, trust, witnesses }: UserSigning,
  { store, signal }: { readonly store: ImageStore; readonly signal: AbortSignal },
): Promise<readonly AttachedEvidence[]> {
  const isLogged = settings.log.enabled;
  const evidence = new OwnEvidence({ trustRoot: () => trust.latest, isLogged, clock: systemClock });
  const key = await signer.acquire({ signal });
  const asked = await witnesses.current({ signal });
  const witnessing = new Witnessing();
  const plan = fitToLogs(artifacts, asked);
  if (plan.every(({ destinations }) => destinations.length === 0)) throw placeless();
  const progress = plan.map((planned) => new ArtifactProgress(planned, undefined));
  await surveyEvidence(progress, store, { evidence, key, signal });
  const missing = progress.filter(({ isWanted }) => isWanted);
  const signed = await Promise.all(
    missing.map(async (one): Promise<SignedProgress> => {
      const artifact = await signArtifact(one.planned, key, asked.logs);
      const testimony = await witnessing.complete(toWitnessed(artifact), noTestimony, asked, {
        signal,
        onProgress: nothing,
      });
      one.noteEntries(testimony.entries.map(({ recorded }) => recorded));
      return { progress: one, artifact: { ...artifact, testimony } };
    }),
  );
  const parts = { evidence, metrics: { artifactSigned, logEntryAppended, pushed, stageTook } };
  await storeEvidence(signed, store, { parts, key, completedAt: systemClock.now(), signal });
  const fault = progress.find((one) => one.fault !== undefined)?.fault;
  if (fault !== undefined) throw fault;
  return progress.map((one) => toAttached(one, missing.includes(one)));
}

function placeless(): AppError {
  return new AppError(
    'ERR_SETTINGS_LOG',
    "cosign's tags cannot hold entries of Rekor v2, and no other layout is asked for",
    { kind: 'permanent', remedy: 'Leave --new-bundle-format=false away, or log to a Rekor v1.' },
  );
}

function toAttached(progress: ArtifactProgress, isNew: boolean): AttachedEvidence {
  const recorded = progress.toRecorded();
  const { kind, subject, entry, destinations } = recorded;
  return {
    kind,
    subject,
    refs: destinations.map(({ layout, ref }) => ({ layout, ref })),
    ...(entry === undefined ? {} : { logIndex: entry.logIndex }),
    logEntries: loggedEntriesOf(recorded).map(({ log, logIndex }) => ({ log, logIndex })),
    isNew,
  };
}

// A command that ends has nobody who reads its metrics.
const nothing = (): void => undefined;
const [artifactSigned, logEntryAppended, pushed, stageTook] = [nothing, nothing, nothing, nothing];
