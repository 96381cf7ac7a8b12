import { Informer } from '../../kube/informer.ts';
import type { InformerHealth } from '../../kube/informer.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import type { Clock } from '../../model/clock.ts';
import type { Log } from '../../model/log.ts';
import { toRunningPod } from './running-pod.ts';
import type { RunningPod } from './running-pod.ts';
import { WorkloadIndex } from './workload-index.ts';
import type { ScanSubject } from './workload-index.ts';

/** What following the Pods takes. */
export interface PodWatchParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch'>;
  readonly maxPods: number;
  /** What a workload runs may have changed. */
  readonly onChange: (subject: ScanSubject, options: { readonly isInitial: boolean }) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The Pods that have not ended, by workload. */
export class PodWatch {
  readonly index = new WorkloadIndex();
  readonly #informer: Informer<RunningPod>;
  /** UIDs of the Pods whose images are kept. */
  readonly #kept = new Set<string>();

  constructor({ client, maxPods, onChange, clock, log }: PodWatchParts) {
    this.#informer = new Informer<RunningPod>({
      ...{ client, type: resourceTypes.pods, namespaces: [], clock, log },
      fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed',
      transform: (pod) => {
        const uid = pod.metadata.uid ?? '';
        const keepsImages = this.#kept.has(uid) || this.#kept.size < maxPods;
        if (keepsImages) this.#kept.add(uid);
        return toRunningPod(pod, { keepsImages });
      },
      onChange: (change) => {
        if (change.kind === 'deleted') {
          this.#kept.delete(change.object.metadata.uid ?? '');
          onChange(this.index.remove(change.object), { isInitial: false });
          return;
        }
        const subject = this.index.put(change.object);
        if (change.kind === 'updated' && isSame(change.object, change.previous)) return;
        onChange(subject, { isInitial: change.kind === 'added' && change.isInitial });
      },
    });
  }

  get synced(): Promise<unknown> {
    return this.#informer.synced;
  }

  /** Pods of which no more is kept than that they are there. */
  get skipped(): number {
    return this.#informer.health().objects - this.#kept.size;
  }

  health(): InformerHealth {
    return this.#informer.health();
  }

  async run(options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#informer.run(options);
  }
}

function isSame(a: RunningPod, b: RunningPod): boolean {
  const seen = ({ images, account, metadata, controller }: RunningPod): string =>
    JSON.stringify([images, account, metadata.labels, controller]);
  return seen(a) === seen(b);
}
