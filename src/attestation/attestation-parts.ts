import type { Clock } from '../model/clock.ts';
import type { RecordStore } from '../model/signing-record.ts';
import type { Signer } from '../model/signature.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { noTracing } from '../telemetry/tracing.ts';
import type { SpanNotes, Tracing } from '../telemetry/tracing.ts';
import type { StatementSource } from './plan-build.ts';
import type { OwnEvidence } from './own-evidence.ts';
import type { PendingSignatures } from './signed-artifact.ts';
import type { Witnessing, WitnessSource } from './witnessing.ts';

/** What attesting is done with; everything in it is shared by all runs. */
export interface AttestationParts {
  readonly signer: Signer;
  /** Who vouches for signatures; nobody where the settings switch the transparency log off. */
  readonly witnesses: WitnessSource;
  readonly witnessing: Witnessing;
  readonly records: RecordStore;
  readonly pending: Pick<PendingSignatures, 'find' | 'keep' | 'forget'>;
  readonly evidence: OwnEvidence;
  readonly metrics: Pick<Metrics, 'artifactSigned' | 'logEntryAppended' | 'pushed' | 'stageTook'>;
  /** Absent: nothing is traced. */
  readonly tracing?: Pick<Tracing, 'stage'>;
  readonly clock: Clock;
}

type TimedParts = Pick<AttestationParts, 'metrics' | 'tracing' | 'clock'>;

/** Runs `work` and reports how long it took, also when it fails; what it notes is seen in the trace. */
export async function timed<Result>(
  { metrics, tracing = noTracing, clock }: TimedParts,
  stage: Parameters<Tracing['stage']>[0],
  work: (note: (notes: SpanNotes) => void) => Promise<Result>,
): Promise<Result> {
  const startedMs = clock.now().getTime();
  try {
    return await tracing.stage(stage, work);
  } finally {
    metrics.stageTook(stage, (clock.now().getTime() - startedMs) / 1000);
  }
}

/** The same sources; how long each takes is reported. */
export function timedSources(
  parts: TimedParts,
  sources: readonly StatementSource[],
): readonly StatementSource[] {
  return sources.map((source) => ({
    makeStatements: (images, store, request) =>
      timed(parts, 'sbom', () => source.makeStatements(images, store, request)),
  }));
}
