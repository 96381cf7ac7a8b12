import { eventReasons } from '../kube/events.ts';
import type { EventRecorder } from '../kube/events.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { keyOf } from '../kube/object-store.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { WorkResult } from '../kube/work-queue.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { Clock } from '../model/clock.ts';
import { isAppError, messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import type { ExceptionRegister } from '../policy/exception-register.ts';
import { readPolicyException } from '../policy/policy-exception.ts';
import type { ExceptionRules } from '../policy/policy-exception.ts';
import type { PolicyRegister } from '../policy/policy-register.ts';
import { ObjectStatus } from './policy-object-status.ts';
import type { ObjectVerdict } from './policy-object-status.ts';
import { asksForWork, toWatchedPolicy } from './watched-policy.ts';

/** What following exceptions takes. */
export interface ExceptionFollowerParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch' | 'get' | 'apply'>;
  readonly rules: ExceptionRules;
  /** Written here, read by whoever judges. */
  readonly register: ExceptionRegister;
  readonly policies: Pick<PolicyRegister, 'find' | 'inForce' | 'onChange'>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly log: Log;
}

const pauses = { baseMs: 1000, capMs: 60_000 };
const concurrency = 4;
const drainMs = 2000;

/**
 * Keeps an {@link ExceptionRegister} in step with the ImagePolicyExceptions of the cluster, and says on each whether it is
 * in force: one that has a fault or has ended is not, whatever else it says. Before the first list none is.
 */
export class ExceptionFollower {
  readonly #parts: ExceptionFollowerParts;
  readonly #informer: Informer<KubeObject>;
  readonly #queue: WorkQueue;
  readonly #status: ObjectStatus;

  constructor(parts: ExceptionFollowerParts) {
    const { client, register, events, clock, log } = parts;
    const type = resourceTypes.policyExceptions;
    this.#parts = parts;
    this.#status = new ObjectStatus({ client, type, events, clock, log });
    this.#informer = new Informer({
      ...{ client, type, namespaces: [], clock, log, transform: toWatchedPolicy },
      onChange: (change) => {
        if (!asksForWork(change)) return;
        const { kind, object } = change;
        const { namespace = '', name } = object.metadata;
        // What may be wrong with the new state must not leave the old one in force.
        if (kind === 'deleted') register.remove(namespace, name);
        else this.#take(object);
        this.#queue.retryNow(keyOf(object));
      },
    });
    this.#queue = new WorkQueue({
      ...{ clock, concurrency, ...pauses },
      worker: (key, { signal }) => this.#report(key, signal),
      onFault: ({ key, error, failures, retryInMs }) => {
        const code = isAppError(error) ? error.code : undefined;
        const fields = { name: key, code, error: messageOf(error), attempt: failures, retryInMs };
        log.warn('the state of an exception could not be written', fields);
      },
    });
  }

  /** Follows until `signal` aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const endListening = this.#parts.policies.onChange(() => {
      for (const object of this.#informer.values()) this.#queue.add(keyOf(object), 'backlog');
    });
    await this.#informer.run({ signal });
    endListening();
    // Nobody knows what becomes of them from now on.
    for (const { metadata } of this.#informer.values()) {
      this.#parts.register.remove(metadata.namespace ?? '', metadata.name);
    }
    await this.#queue.close({ deadlineMs: drainMs });
  }

  #take(object: KubeObject): void {
    const { register, rules, clock } = this.#parts;
    const { namespace = '', name, deletionTimestamp } = object.metadata;
    const { exception } = readPolicyException(object, rules, { now: clock.now() });
    if (exception === undefined || deletionTimestamp !== undefined) register.remove(namespace, name);
    else register.put(exception);
  }

  async #report(key: string, signal: AbortSignal): Promise<WorkResult> {
    const { register, clock } = this.#parts;
    const object = this.#informer.find(key);
    // Nothing is said about policies before they are known.
    if (object === undefined || this.#parts.policies.inForce === undefined) return {};
    const { verdict, endsAt } = this.#verdictOn(object);
    const leftMs = endsAt === undefined ? 0 : endsAt.getTime() - clock.now().getTime();
    if (leftMs <= 0) register.remove(object.metadata.namespace ?? '', object.metadata.name);
    await this.#status.report(object, verdict, { signal });
    return leftMs > 0 ? { requeueAfterMs: leftMs } : {};
  }

  /** How an exception fares; `endsAt` if it is still to come. */
  #verdictOn(object: KubeObject): { readonly verdict: ObjectVerdict; readonly endsAt?: Date } {
    const { rules, policies, clock } = this.#parts;
    const { exception, faults } = readPolicyException(object, rules, { now: clock.now() });
    if (exception === undefined) {
      return { verdict: notInForce('Invalid', faults.join('; '), eventReasons.exceptionInvalid) };
    }
    const { policy: name, expiresAt } = exception;
    const end = expiresAt.toISOString();
    if (expiresAt <= clock.now()) {
      return { verdict: notInForce('Expired', `ended at ${end}`, eventReasons.exceptionExpired) };
    }
    const policy = policies.find(name)?.compiled;
    if (policy === undefined) {
      const why = `there is no ClusterImagePolicy ${name}`;
      return { verdict: notInForce('NoPolicy', why, eventReasons.exceptionInvalid), endsAt: expiresAt };
    }
    if (policy.exceptions === 'forbidden') {
      const why = `ClusterImagePolicy ${name} forbids exceptions`;
      return { verdict: notInForce('Forbidden', why, eventReasons.exceptionInvalid), endsAt: expiresAt };
    }
    const message = `lets ${exception.image.source} off ${name} until ${end}`;
    return {
      verdict: {
        findings: [{ type: 'Ready', status: 'True', reason: 'InForce', message }],
        event: { type: 'Normal', reason: eventReasons.exceptionInForce },
      },
      endsAt: expiresAt,
    };
  }
}

function notInForce(reason: string, message: string, event: ObjectVerdict['event']['reason']): ObjectVerdict {
  const type = reason === 'Expired' ? 'Normal' : 'Warning';
  return {
    findings: [{ type: 'Ready', status: 'False', reason, message }],
    event: { type, reason: event },
  };
}
