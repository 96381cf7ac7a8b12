import type { AppError } from '../model/errors.ts';
import type { SigningKey } from '../model/signature.ts';
import type { SigningRecord } from '../model/signing-record.ts';
import type { ImageStore } from '../registry/image-store.ts';
import type { SpanNotes } from '../telemetry/tracing.ts';
import { ArtifactProgress, noteFault } from './artifact-progress.ts';
import type { SignedProgress } from './artifact-progress.ts';
import { timed } from './attestation-parts.ts';
import type { AttestationParts } from './attestation-parts.ts';
import { artifactKey } from './planned-artifact.ts';
import type { PlannedArtifact } from './planned-artifact.ts';
import { signArtifact, toWitnessed } from './signed-artifact.ts';
import type { SignedArtifact } from './signed-artifact.ts';
import { isRunFault } from './run-fault.ts';
import { storeEvidence } from './store-evidence.ts';
import { surveyEvidence } from './survey-evidence.ts';
import { fitToLogs } from './witnessing.ts';
import type { Testimony, Witnesses } from './witnessing.ts';

// Bound of the SigningRecord's schema.
const maxRecordedArtifacts = 1000;

/** One build whose artifacts are to be signed, logged and stored. */
export interface AttestationJob {
  readonly run: {
    readonly kind: 'TaskRun';
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
  readonly artifacts: readonly PlannedArtifact[];
  /** The registry, with the credentials of this run. */
  readonly store: ImageStore;
  /** When the build was completed: the creation time of what is stored, so that the same evidence has the same digest. */
  readonly completedAt: Date;
  /** Faults found while planning; they leave the artifacts alone but keep the run from being complete. */
  readonly faults: readonly AppError[];
}

/** What became of the build's artifacts. */
export interface AttestationOutcome {
  readonly record: SigningRecord;
  readonly signed: readonly SignedArtifact[];
  /** Empty if everything is signed, logged and stored. */
  readonly faults: readonly AppError[];
}

/**
 * Signs, logs and stores what is missing of the job's artifacts and keeps the record of it. A fault in one artifact or
 * destination leaves the others alone and is given in the outcome. Intent is recorded before anything reaches the log
 * (design: the log monitor tells our entries from an intruder's). What is signed stays in `parts.pending` until the
 * caller has marked the run. Throws what the signer and the record store throw.
 */
export async function attestBuild(
  job: AttestationJob,
  parts: AttestationParts,
  options: { readonly signal: AbortSignal },
): Promise<AttestationOutcome> {
  const earlier = await parts.records.find(job.run, options);
  const witnesses = await parts.witnesses.current(options);
  const artifacts = fitToLogs(job.artifacts, witnesses);
  const progress = artifacts.map((planned) => new ArtifactProgress(planned, earlier));
  if (job.artifacts.length === 0) return concludeWithout(job, parts, earlier, options);
  const key = await timed(parts, 'certificate', () => parts.signer.acquire(options));
  // A first try finds nothing of its own; only where an earlier one may have come part of the way is it worth a look.
  if (earlier !== undefined)
    await surveyEvidence(progress, job.store, { ...options, evidence: parts.evidence, key });

  const missing = progress.filter(({ isWanted }) => isWanted);
  const signed = await timed(parts, 'sign', () => signAll(missing, job, parts, { key, witnesses }));
  let record = earlier ?? newRecord(job);
  if (missing.length > 0) record = await saved(withProgress(record, progress, 'Intended'), parts, options);
  const logged = await witnessAll(signed, job, parts, { ...options, witnesses });
  await timed(parts, 'push', () =>
    storeEvidence(logged, job.store, { ...options, parts, key, completedAt: job.completedAt }),
  );

  const faults = [...job.faults, ...progress.flatMap(({ fault }) => (fault === undefined ? [] : [fault]))];
  record = await saved(withProgress(record, progress, phaseOf(faults), faults[0]), parts, options);
  return { record, signed: logged.map(({ artifact }) => artifact), faults };
}

function saved(
  record: SigningRecord,
  parts: AttestationParts,
  options: { readonly signal: AbortSignal },
): Promise<SigningRecord> {
  return timed(parts, 'record', () => parts.records.save(record, options));
}

async function signAll(
  missing: readonly ArtifactProgress[],
  job: AttestationJob,
  parts: AttestationParts,
  { key, witnesses }: { readonly key: SigningKey; readonly witnesses: Witnesses },
): Promise<readonly SignedProgress[]> {
  return Promise.all(
    missing.map(async (progress) => {
      const kept = parts.pending.find(job.run.uid, progress.planned, witnesses);
      const artifact = kept ?? (await signArtifact(progress.planned, key, witnesses.logs));
      progress.intend(artifact.key.fingerprint);
      if (kept === undefined) {
        parts.pending.keep(job.run.uid, artifact);
        parts.metrics.artifactSigned(progress.planned.kind);
      }
      return { progress, artifact };
    }),
  );
}

async function witnessAll(
  signed: readonly SignedProgress[],
  job: AttestationJob,
  parts: AttestationParts,
  { witnesses, signal }: { readonly witnesses: Witnesses; readonly signal: AbortSignal },
): Promise<readonly SignedProgress[]> {
  const outcomes = await Promise.all(
    signed.map(async ({ progress, artifact }) => {
      let witnessed = artifact;
      const onProgress = (testimony: Testimony): void => {
        const added = testimony.entries.length - witnessed.testimony.entries.length;
        for (let count = 0; count < added; count += 1) parts.metrics.logEntryAppended(progress.planned.kind);
        witnessed = { ...witnessed, testimony };
        parts.pending.keep(job.run.uid, witnessed);
      };
      const options = { signal, onProgress };
      try {
        await timed(parts, 'log-append', async (note) => {
          await parts.witnessing.complete(toWitnessed(artifact), artifact.testimony, witnesses, options);
          note(notesOf(progress.planned, witnessed.testimony));
        });
        return [{ progress, artifact: witnessed }];
      } catch (error) {
        noteFault(progress, error);
        return [];
      } finally {
        progress.noteEntries(witnessed.testimony.entries.map(({ recorded }) => recorded));
      }
    }),
  );
  return outcomes.flat();
}

/** What a trace says of an entry; the first one stands for those in further logs. */
function notesOf({ kind, subject }: PlannedArtifact, { entries }: Testimony): SpanNotes {
  const entry = entries[0]?.recorded;
  return {
    'chainwright.artifact.kind': kind,
    'chainwright.artifact.subject': subject,
    ...(entry === undefined
      ? {}
      : { 'chainwright.log.url': entry.log, 'chainwright.log.index': entry.logIndex }),
  };
}

/** Where nothing can be signed the faults are recorded all the same. */
async function concludeWithout(
  job: AttestationJob,
  parts: AttestationParts,
  earlier: SigningRecord | undefined,
  options: { readonly signal: AbortSignal },
): Promise<AttestationOutcome> {
  const record = withProgress(earlier ?? newRecord(job), [], phaseOf(job.faults), job.faults[0]);
  return { record: await parts.records.save(record, options), signed: [], faults: job.faults };
}

function newRecord({ run }: AttestationJob): SigningRecord {
  const { kind, namespace, name, uid } = run;
  return { namespace, uid, run: { kind, name }, phase: 'Intended', artifacts: [] };
}

function withProgress(
  { fault: _, ...record }: SigningRecord,
  progress: readonly ArtifactProgress[],
  phase: SigningRecord['phase'],
  fault?: AppError,
): SigningRecord {
  const planned = new Set(progress.map((artifact) => artifactKey(artifact.planned)));
  // What an earlier plan of this run meant to sign may be in the log all the same.
  const superseded = record.artifacts.filter((artifact) => !planned.has(artifactKey(artifact)));
  const artifacts = [...progress.map((artifact) => artifact.toRecorded()), ...superseded];
  const text = fault === undefined ? {} : { fault: `${fault.code}: ${fault.message}` };
  return { ...record, phase, artifacts: artifacts.slice(0, maxRecordedArtifacts), ...text };
}

function phaseOf(faults: readonly AppError[]): SigningRecord['phase'] {
  if (faults.length === 0) return 'Complete';
  return faults.every(isRunFault) ? 'Failed' : 'Intended';
}
