import type { AppError } from '../model/errors.ts';
import { loggedEntriesOf } from '../model/signing-record.ts';
import type { RecordedArtifact, RecordedLogEntry, SigningRecord } from '../model/signing-record.ts';
import type { RunAnnotations } from '../kube/run-annotations.ts';

/** Annotations that runs carry for us; those of `chains.tekton.dev` are Tekton Chains' own. */
export const runAnnotationKeys = {
  signed: 'chains.tekton.dev/signed',
  retries: 'chains.tekton.dev/retries',
  transparency: 'chains.tekton.dev/transparency',
  logEntries: 'chainwright.dev/log-entries',
  error: 'chainwright.dev/error',
  result: 'chainwright.dev/result',
} as const;

/** A settled run's mark. */
export type SignedMark = 'true' | 'failed';

// Annotations of one object may take 256 KiB in all; the SigningRecord holds the complete list.
const maxLogEntriesLength = 64 * 1024;
const maxErrorLength = 2048;

/** The mark on a run; any other value than `true` and `failed` counts as none, as with Tekton Chains. */
export function signedMarkOf(
  annotations: Readonly<Record<string, string>> | undefined,
): SignedMark | undefined {
  const value = annotations?.[runAnnotationKeys.signed];
  return value === 'true' || value === 'failed' ? value : undefined;
}

/** Annotations of a run whose artifacts are all signed, logged and stored. */
export function signedAnnotations(record: SigningRecord): RunAnnotations {
  return { ...entryAnnotations(record), [runAnnotationKeys.signed]: 'true', ...cleared };
}

/** Annotations of a run that names nothing that could be signed. */
export function nothingToSignAnnotations(): RunAnnotations {
  return { [runAnnotationKeys.signed]: 'true', ...cleared, [runAnnotationKeys.result]: 'nothing-to-sign' };
}

/** Annotations of a run of which something can never be signed; what was signed is listed all the same. */
export function failedAnnotations(record: SigningRecord, fault: AppError): RunAnnotations {
  return {
    ...entryAnnotations(record),
    [runAnnotationKeys.signed]: 'failed',
    ...cleared,
    [runAnnotationKeys.error]: faultText(fault),
  };
}

/** The annotation of a run that is tried again. */
export function delayedAnnotations(fault: AppError): RunAnnotations {
  return { [runAnnotationKeys.error]: faultText(fault) };
}

/** What changes on a run that is left unsigned on purpose; nothing if it says so already, or was signed before. */
export function skippedAnnotations(annotations: Readonly<Record<string, string>> = {}): RunAnnotations {
  if (signedMarkOf(annotations) !== undefined || annotations[runAnnotationKeys.result] === 'skipped')
    return {};
  return { [runAnnotationKeys.result]: 'skipped', [runAnnotationKeys.error]: null };
}

/** What changes on a run whose mark is believed: one that is signed keeps no fault of an earlier try. */
export function settledAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
): RunAnnotations {
  return signedMarkOf(annotations) === 'true' ? { [runAnnotationKeys.error]: null } : {};
}

/** `CODE: message` of a fault, as annotations and Events carry it. */
export function faultText(fault: AppError): string {
  return `${fault.code}: ${fault.message}`.slice(0, maxErrorLength);
}

const cleared: RunAnnotations = {
  [runAnnotationKeys.error]: null,
  [runAnnotationKeys.result]: null,
  [runAnnotationKeys.retries]: null,
};

function entryAnnotations({ artifacts }: SigningRecord): RunAnnotations {
  const logged = artifacts.flatMap((artifact) =>
    loggedEntriesOf(artifact).map((entry) => toListed(artifact, entry)),
  );
  if (logged.length === 0) return {};
  const main = logged.find(({ listed }) => listed.kind === 'provenance') ?? logged[0];
  while (JSON.stringify(logged.map(({ listed }) => listed)).length > maxLogEntriesLength) logged.pop();
  return {
    ...(main === undefined ? {} : { [runAnnotationKeys.transparency]: addressOf(main.entry) }),
    [runAnnotationKeys.logEntries]: JSON.stringify(logged.map(({ listed }) => listed)),
  };
}

/** Rekor v1 answers there; v2 has no address for an entry (it gives no time either, which tells it apart). */
function addressOf({ log, logIndex, integratedTime }: RecordedLogEntry): string {
  return integratedTime > 0
    ? `${log}/api/v1/log/entries?logIndex=${logIndex}`
    : `${log}?logIndex=${logIndex}`;
}

function toListed({ kind, subject, destinations }: RecordedArtifact, entry: RecordedLogEntry) {
  const { log, logIndex } = entry;
  return { entry, listed: { kind, subject, log, logIndex, ref: destinations[0]?.ref ?? '' } };
}
