import { fieldManagers } from '../../kube/field-managers.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import type { ResourceType } from '../../kube/resource-type.ts';
import { unlessGone } from '../../kube/unless-gone.ts';
import type { Clock } from '../../model/clock.ts';
import type { ScanMetrics } from '../../telemetry/scan-metrics.ts';
import { contentOf, reportAnnotations, reportDraft, reportNameOf } from './report-object.ts';
import type { WorkloadReport } from './report-object.ts';
import type { SubjectIdentity } from '../scan/running-pod.ts';
import type { ReportKinds } from './report-kinds.ts';

/** What writing reports takes. */
export interface ReportWriterParts {
  readonly client: Pick<KubeClient, 'get' | 'apply' | 'delete'>;
  readonly kinds: Pick<ReportKinds, 'installed'>;
  readonly metrics: Pick<ScanMetrics, 'reportWritten'>;
  readonly clock: Pick<Clock, 'now'>;
}

/** Where a report is. */
export interface ReportPlace {
  readonly namespace: string;
  readonly subject: Pick<SubjectIdentity, 'uid'>;
}

/** Keeps one report a workload, of each kind that the cluster has, and writes only what says something new. */
export class ReportWriter {
  readonly #parts: ReportWriterParts;

  constructor(parts: ReportWriterParts) {
    this.#parts = parts;
  }

  /** Writes a report where it differs from what is there; gives the verdict that was there before. Throws ERR_KUBE_*. */
  async write(report: WorkloadReport, signal: AbortSignal): Promise<string | undefined> {
    const content = contentOf(report);
    let verdict: string | undefined;
    for (const type of this.#parts.kinds.installed()) {
      const annotations = (await this.#find(type, report, signal))?.metadata.annotations ?? {};
      verdict ??= annotations[reportAnnotations.verdict];
      if (annotations[reportAnnotations.content] === content) this.#parts.metrics.reportWritten('unchanged');
      else await this.#apply(type, report, signal);
    }
    return verdict;
  }

  /** Removes the reports on a workload that is judged no more. */
  async remove({ namespace, subject }: ReportPlace, signal: AbortSignal): Promise<void> {
    const ref = { namespace, name: reportNameOf(subject) };
    for (const type of this.#parts.kinds.installed()) {
      await unlessGone(() => this.#parts.client.delete(type, ref, { signal }));
    }
  }

  async #find(
    type: ResourceType,
    { namespace, subject }: ReportPlace,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    const ref = { namespace, name: reportNameOf(subject) };
    return unlessGone(() => this.#parts.client.get(type, ref, { view: 'metadata', signal }));
  }

  async #apply(type: ResourceType, report: WorkloadReport, signal: AbortSignal): Promise<void> {
    const { client, clock, metrics } = this.#parts;
    const draft = reportDraft(type, report, clock.now());
    const options = { fieldManager: fieldManagers.own, force: true, view: 'metadata', signal } as const;
    try {
      // Where the namespace or the kind is gone, nobody misses the report.
      const written = await unlessGone(() => client.apply(type, draft, options));
      metrics.reportWritten(written === undefined ? 'failed' : 'written');
    } catch (error) {
      metrics.reportWritten('failed');
      throw error;
    }
  }
}
