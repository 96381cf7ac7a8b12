import { findCondition, reportStatus } from '../kube/conditions.ts';
import type { Finding } from '../kube/conditions.ts';
import type { EventNotice, EventRecorder } from '../kube/events.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { ResourceType } from '../kube/resource-type.ts';
import type { Clock } from '../model/clock.ts';
import type { Log } from '../model/log.ts';

/** What is to be told about a settings object, policy or trust root; the first finding is what its Event is about. */
export interface ObjectVerdict {
  readonly findings: readonly [Finding, ...Finding[]];
  /** Under what the transition is told, if it is one. */
  readonly event: Pick<EventNotice, 'type' | 'reason'>;
  /** Further fields of the status. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** How the status is made. */
export interface ObjectStatusParts {
  readonly client: Pick<KubeClient, 'apply' | 'get'>;
  readonly type: ResourceType;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  /** Absent: that of our own objects. */
  readonly fieldManager?: string;
}

/**
 * Tells what became of objects: conditions in their status, and an Event and a line of the log when `Ready` changes. Of
 * several replicas that find the same, the one that wrote the condition tells.
 */
export class ObjectStatus {
  readonly #parts: ObjectStatusParts;

  constructor(parts: ObjectStatusParts) {
    this.#parts = parts;
  }

  /** Throws what the API server throws. */
  async report(
    object: KubeObject,
    { findings, event, details = {} }: ObjectVerdict,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const { client, type, events, clock, log, fieldManager } = this.#parts;
    const isWritten = await reportStatus(
      client,
      { type, object, findings, details, fieldManager },
      { clock, signal },
    );
    const [{ type: condition, status, reason, message }] = findings;
    const before = findCondition(object, condition);
    if (!isWritten || (before?.status === status && before.reason === reason)) return;
    events.record({ about: object, ...event, message });
    const level = event.type === 'Normal' ? 'info' : 'warn';
    log[level]('the state of an object changed', {
      kind: type.kind,
      name: object.metadata.name,
      condition,
      status,
      reason,
      notice: message,
    });
  }
}
