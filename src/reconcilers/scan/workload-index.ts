import { keyOf } from '../../kube/object-store.ts';
import type { RunningPod } from './running-pod.ts';

/** What a report is about: a workload, or a Pod that no workload made. */
export interface ScanSubject {
  readonly key: string;
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  /** The Pod that it was seen by last: what is known of a workload that runs nothing any more. */
  readonly pod: RunningPod;
}

/** Which Pods run for which workload. */
export class WorkloadIndex {
  readonly #pods = new Map<string, Map<string, RunningPod>>();
  readonly #subjects = new Map<string, ScanSubject>();

  /** Takes a Pod as it is now, and gives its workload. */
  put(pod: RunningPod): ScanSubject {
    const subject = subjectOf(pod);
    const pods = this.#pods.get(subject.key) ?? new Map<string, RunningPod>();
    pods.set(keyOf(pod), pod);
    this.#pods.set(subject.key, pods);
    this.#subjects.set(subject.key, subject);
    return subject;
  }

  /** A Pod is gone; gives its workload. */
  remove(pod: RunningPod): ScanSubject {
    const subject = subjectOf(pod);
    const pods = this.#pods.get(subject.key);
    pods?.delete(keyOf(pod));
    if (pods?.size === 0) this.#pods.delete(subject.key);
    return subject;
  }

  /** Forgets a workload without Pods. */
  forget(key: string): void {
    if (!this.#pods.has(key)) this.#subjects.delete(key);
  }

  find(key: string): ScanSubject | undefined {
    return this.#subjects.get(key);
  }

  /** The Pods of a workload that are judged. */
  podsOf(key: string): readonly RunningPod[] {
    return [...(this.#pods.get(key)?.values() ?? [])].filter(({ isSkipped }) => isSkipped !== true);
  }

  /** All workloads, those included that have no Pods any more and were not forgotten yet. */
  subjects(): IterableIterator<ScanSubject> {
    return this.#subjects.values();
  }
}

function subjectOf(pod: RunningPod): ScanSubject {
  const { metadata, controller } = pod;
  const namespace = metadata.namespace ?? '';
  const { kind, name } = controller ?? { kind: 'Pod', name: metadata.name };
  return { key: `${namespace}/${kind}/${name}`, namespace, kind, name, pod };
}
