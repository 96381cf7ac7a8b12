import { LRUCache } from 'lru-cache';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { ResourceType } from '../../kube/resource-type.ts';
import type { Clock } from '../../model/clock.ts';
import { isAppError, messageOf } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import { removeReports } from '../reports/report-removal.ts';
import type { ReportRemovalParts } from '../reports/report-removal.ts';
import type { ReportKinds } from '../reports/report-kinds.ts';
import type { ReportWriter } from '../reports/report-writer.ts';
import { findSubject } from './subject-finder.ts';
import type { ScanSubject } from './workload-index.ts';

/** What removing reports that are true no more takes. */
export interface StaleReportsParts extends ReportRemovalParts {
  readonly client: ReportRemovalParts['client'] & Pick<KubeClient, 'get'>;
  readonly kinds: Pick<ReportKinds, 'installed' | 'unwanted'>;
  readonly writer: Pick<ReportWriter, 'remove'>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly log: Log;
}

// What is forgotten is looked for once more, no worse.
const remembered = { max: 10_000 };
const againMs = 60_000;

/** Removes reports that say what is no longer so; what was removed once is not asked about again. */
export class StaleReports {
  readonly #parts: StaleReportsParts;
  /** Keys of workloads, and names of namespaces, that have no report. */
  readonly #workloads = new LRUCache<string, true>(remembered);
  readonly #namespaces = new LRUCache<string, true>(remembered);

  constructor(parts: StaleReportsParts) {
    this.#parts = parts;
  }

  /** Removes the reports of kinds that are wanted no more: tries until it could, or `signal` aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for (const type of this.#parts.kinds.unwanted()) {
      while (!signal.aborted && !(await this.#removesAll(type, signal))) {
        await this.#parts.clock.sleep(againMs, signal).catch(() => undefined);
      }
    }
  }

  /** A workload is about to have a report. */
  noteReport({ key, namespace }: Pick<ScanSubject, 'key' | 'namespace'>): void {
    this.#workloads.delete(key);
    this.#namespaces.delete(namespace);
  }

  /** There may be reports that are not known of: by another replica, or of a kind that was not known. */
  lookAgain(): void {
    this.#workloads.clear();
    this.#namespaces.clear();
  }

  /** Removes the reports on a workload no Pod of which is judged. Throws ERR_KUBE_*. */
  async removeOf(subject: ScanSubject, signal: AbortSignal): Promise<void> {
    const { client, writer } = this.#parts;
    const { key, namespace } = subject;
    if (this.#workloads.has(key)) return;
    const found = await findSubject(client, subject, signal);
    await writer.remove({ namespace, subject: found.identity }, signal);
    this.#workloads.set(key, true);
  }

  /** Removes all reports in a namespace where nothing is judged. Throws ERR_KUBE_*. */
  async removeIn(namespace: string, signal: AbortSignal): Promise<void> {
    if (this.#namespaces.has(namespace)) return;
    // Set first: the other workloads of the namespace need not ask as well.
    this.#namespaces.set(namespace, true);
    try {
      for (const type of this.#parts.kinds.installed()) {
        await removeReports(this.#parts, type, { namespace, signal });
      }
    } catch (error) {
      this.#namespaces.delete(namespace);
      throw error;
    }
  }

  async #removesAll(type: ResourceType, signal: AbortSignal): Promise<boolean> {
    try {
      await removeReports(this.#parts, type, { signal });
      return true;
    } catch (error) {
      const code = isAppError(error) ? error.code : undefined;
      const fields = { code, error: messageOf(error) };
      if (!signal.aborted) this.#parts.log.warn('reports that are not wanted could not be removed', fields);
      return false;
    }
  }
}
