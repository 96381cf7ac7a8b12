import type { Clock } from '../model/clock.ts';
import type { RecordStore } from '../model/signing-record.ts';
import type { Signer } from '../model/signature.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { TransparencyLog } from '../transparency/transparency-log.ts';
import type { OwnEvidence } from './own-evidence.ts';
import type { PendingSignatures } from './signed-artifact.ts';

/** What attesting is done with; everything in it is shared by all runs. */
export interface AttestationParts {
  readonly signer: Signer;
  /** Absent where the settings switch the transparency log off. */
  readonly log?: TransparencyLog | undefined;
  readonly records: RecordStore;
  readonly pending: PendingSignatures;
  readonly evidence: OwnEvidence;
  readonly metrics: Pick<Metrics, 'artifactSigned' | 'logEntryAppended' | 'pushed' | 'stageTook'>;
  readonly clock: Clock;
}

/** Runs `work` and reports how long it took, also when it fails. */
export async function timed<Result>(
  { metrics, clock }: Pick<AttestationParts, 'metrics' | 'clock'>,
  stage: Parameters<Metrics['stageTook']>[0],
  work: () => Promise<Result>,
): Promise<Result> {
  const startedMs = clock.now().getTime();
  try {
    return await work();
  } finally {
    metrics.stageTook(stage, (clock.now().getTime() - startedMs) / 1000);
  }
}
