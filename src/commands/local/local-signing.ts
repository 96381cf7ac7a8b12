import type { AttestationParts } from '../../attestation/attestation-parts.ts';
import type { BuildPolicy, StatementSource } from '../../attestation/plan-build.ts';
import type { EventNotice } from '../../kube/events.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import type { Log } from '../../model/log.ts';
import type { SigningRecord } from '../../model/signing-record.ts';
import { runAnnotationKeys, signedMarkOf } from '../../reconcilers/run-marks.ts';
import { fixedTerms } from '../../reconcilers/run-terms.ts';
import { RunNotices } from '../../reconcilers/run-notices.ts';
import { TaskRunReconciler } from '../../reconcilers/task-run-reconciler.ts';
import type { ImageStore } from '../../registry/image-store.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { FileRunClient } from './file-run-client.ts';
import type { RunCatalogue } from './run-catalogue.ts';
import type { RunStatusFolder } from './run-status-file.ts';

/** What signing the runs of files takes. */
export interface LocalSigningParts {
  readonly catalogue: RunCatalogue;
  readonly statuses: RunStatusFolder;
  readonly attestation: AttestationParts;
  readonly policy: BuildPolicy;
  readonly sources: readonly StatementSource[];
  readonly store: ImageStore;
  readonly managedBy: readonly string[];
  readonly metrics: Metrics;
  readonly log: Log;
}

/** How a run stands after a try that threw nothing. */
export interface RunResult {
  /** `namespace/name`. */
  readonly run: string;
  /** `left-alone`: it is not complete, or managed by somebody that the settings do not list. */
  readonly outcome: 'signed' | 'nothing-to-sign' | 'failed' | 'left-alone' | 'gone';
  /** For `failed`: code and message. */
  readonly fault?: string;
  readonly record?: SigningRecord;
}

/** Signs runs that lie in files with the very reconciler that works in a cluster. */
export class LocalSigning {
  readonly #parts: LocalSigningParts;
  readonly #client: FileRunClient;
  readonly #reconciler: TaskRunReconciler;

  constructor(parts: LocalSigningParts) {
    const { attestation, policy, sources, managedBy, metrics, log } = parts;
    this.#parts = parts;
    this.#client = new FileRunClient(parts.catalogue, parts.statuses);
    this.#reconciler = new TaskRunReconciler({
      client: this.#client,
      terms: fixedTerms(
        { attestation, policy, sources, storeFor: () => parts.store },
        { managedBy, holdDeletionMs: 0 },
      ),
      records: attestation.records,
      notices: new RunNotices({
        record: (notice) => {
          logNotice(log, notice);
        },
      }),
      metrics,
      clock: attestation.clock,
      log,
    });
  }

  /** Brings one run to where it should be. Throws what is worth another try. */
  async settle(key: string, options: { readonly signal: AbortSignal }): Promise<RunResult> {
    await this.#reconciler.reconcile(key, options);
    const run = this.#parts.catalogue.find(key);
    if (run === undefined) return { run: key, outcome: 'gone' };
    const { annotations = {} } = (await this.#client.get(resourceTypes.taskRuns, run.metadata)).metadata;
    const mark = signedMarkOf(annotations);
    if (mark === undefined) return { run: key, outcome: 'left-alone' };
    const record = await this.#parts.attestation.records.find(run.metadata, options);
    const kept = record === undefined ? {} : { record };
    if (mark === 'failed') {
      return { run: key, outcome: 'failed', fault: annotations[runAnnotationKeys.error] ?? '', ...kept };
    }
    const isEmpty = annotations[runAnnotationKeys.result] === 'nothing-to-sign';
    return { run: key, outcome: isEmpty ? 'nothing-to-sign' : 'signed', ...kept };
  }
}

/** What would be an Event in a cluster is a line in the log. */
function logNotice(log: Log, { about, type, reason, message }: EventNotice): void {
  const { namespace = '', name } = about.metadata;
  log[type === 'Warning' ? 'warn' : 'info'](reason, { run: `${namespace}/${name}`, notice: message });
}
