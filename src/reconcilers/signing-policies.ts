import type { EventRecorder } from '../kube/events.ts';
import { eventReasons } from '../kube/events.ts';
import type { Finding } from '../kube/conditions.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { isRecord } from '../kube/kube-object.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { keyOf } from '../kube/object-store.ts';
import type { StoreChange } from '../kube/object-store.ts';
import { trimMetadata } from '../kube/object-trim.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { Clock } from '../model/clock.ts';
import { messageOf } from '../model/errors.ts';
import type { Log } from '../model/log.ts';
import { findConflicts } from '../settings/effective-settings.ts';
import { judgeFields } from '../settings/policy-narrowing.ts';
import type { NamedPolicy } from '../settings/policy-narrowing.ts';
import { listIssues } from '../settings/settings-fault.ts';
import type { Settings } from '../settings/settings-schema.ts';
import { signingPolicySchema } from '../settings/signing-policy.ts';
import { ObjectStatus } from './policy-object-status.ts';
import type { ObjectVerdict } from './policy-object-status.ts';

/** What following SigningPolicies takes. */
export interface SigningPoliciesParts {
  readonly client: Pick<KubeClient, 'listPages' | 'watch' | 'get' | 'apply'>;
  /** Namespaces whose runs are signed; empty: all. */
  readonly namespaces: readonly string[];
  /** The settings in force. */
  readonly settings: () => Settings;
  /** Told when the policies of a namespace say something else. */
  readonly onChange: (namespace: string) => void;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The policies of one namespace. */
export interface NamespacePolicies {
  readonly policies: readonly NamedPolicy[];
  /** A policy that cannot be read and never could, so that it is not known what it wants. */
  readonly unreadable?: string;
}

interface Known {
  readonly object: KubeObject;
  /** What it says, or said when it could be read last. */
  readonly policy?: NamedPolicy;
  /** Why it cannot be read as it is now. */
  readonly fault?: string;
}

const noPolicies: NamespacePolicies = { policies: [] };

/** Mirrors the SigningPolicies, and tells in the status of each what it brings about and what is refused. */
export class SigningPolicies {
  readonly #parts: SigningPoliciesParts;
  readonly #informer: Informer<KubeObject>;
  readonly #queue: WorkQueue;
  readonly #status: ObjectStatus;
  readonly #known = new Map<string, Map<string, Known>>();

  constructor(parts: SigningPoliciesParts) {
    const { client, namespaces, events, clock, log } = parts;
    this.#parts = parts;
    this.#status = new ObjectStatus({ client, type: resourceTypes.signingPolicies, events, clock, log });
    this.#queue = new WorkQueue({
      ...{ clock, concurrency: 2, capMs: 300_000 },
      worker: async (key, { signal }) => {
        await this.#report(key, signal);
        return {};
      },
      onFault: ({ key, error, retryInMs }) => {
        log.warn('the status of a SigningPolicy is written later', {
          name: key,
          error: messageOf(error),
          retryInMs,
        });
      },
    });
    this.#informer = new Informer({
      ...{ client, namespaces, clock, log },
      type: resourceTypes.signingPolicies,
      transform: trimMetadata<KubeObject>,
      onChange: (change) => {
        this.#notice(change);
      },
    });
  }

  /** Resolves once all policies are known. */
  get synced(): Promise<undefined> {
    return this.#informer.synced;
  }

  /** Follows until `signal` aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#informer.run({ signal });
    await this.#queue.close({ deadlineMs: 0 });
  }

  /** Why it is not known yet what the policies say. */
  findUnready(): string | undefined {
    const { isSynced, fault } = this.#informer.health();
    return isSynced ? undefined : `the SigningPolicies are not listed yet: ${fault ?? 'they are asked for'}`;
  }

  /** The policies of a namespace as they are now. */
  of(namespace: string): NamespacePolicies {
    const known = this.#known.get(namespace);
    if (known === undefined) return noPolicies;
    const policies = [...known.values()].flatMap(({ policy }) => (policy === undefined ? [] : [policy]));
    const unreadable = [...known].find(([, { policy }]) => policy === undefined)?.[0];
    return { policies, ...(unreadable === undefined ? {} : { unreadable }) };
  }

  /** Judges all policies anew: the cluster allows something else now. */
  judgeAgain(): void {
    for (const object of this.#informer.values()) this.#queue.retryNow(keyOf(object), 'backlog');
  }

  #notice(change: StoreChange<KubeObject>): void {
    const { namespace = '', name } = change.object.metadata;
    const siblings = this.#known.get(namespace) ?? new Map<string, Known>();
    if (change.kind === 'deleted') siblings.delete(name);
    else siblings.set(name, readPolicy(change.object, siblings.get(name)));
    if (siblings.size === 0) this.#known.delete(namespace);
    else this.#known.set(namespace, siblings);
    if (isStatusAlone(change)) return;
    // Whether policies agree depends on all of a namespace.
    for (const sibling of siblings.keys()) this.#queue.retryNow(`${namespace}/${sibling}`);
    this.#parts.onChange(namespace);
  }

  async #report(key: string, signal: AbortSignal): Promise<void> {
    const slash = key.indexOf('/');
    const siblings = this.#known.get(key.slice(0, slash));
    const known = siblings?.get(key.slice(slash + 1));
    if (siblings === undefined || known === undefined) return;
    const others = [...siblings.values()].flatMap(({ policy }) => (policy === undefined ? [] : [policy]));
    await this.#status.report(known.object, verdictOf(known, others, this.#parts.settings()), { signal });
  }
}

function readPolicy(object: KubeObject, before: Known | undefined): Known {
  const { namespace = '', name } = object.metadata;
  const spec = isRecord(object['spec']) ? object['spec'] : {};
  const parsed = signingPolicySchema.safeParse(spec);
  if (parsed.success) return { object, policy: { namespace, name, spec: parsed.data } };
  const faults = listIssues(parsed.error, spec).map(({ path, rule }) => `spec.${path.join('.')} ${rule}`);
  const kept = before?.policy === undefined ? {} : { policy: before.policy };
  return { object, fault: faults.join('; '), ...kept };
}

function isStatusAlone(change: StoreChange<KubeObject>): boolean {
  if (change.kind !== 'updated') return false;
  return change.object.metadata['generation'] === change.previous.metadata['generation'];
}

function verdictOf(
  { policy, fault }: Known,
  others: readonly NamedPolicy[],
  settings: Settings,
): ObjectVerdict {
  if (fault !== undefined || policy === undefined) {
    const effect =
      policy === undefined
        ? 'no run of this namespace is signed until it is mended'
        : 'what it said before stays in force';
    return unready('Invalid', `${fault ?? ''}; ${effect}`);
  }
  const conflicts = new Map(
    findConflicts(policy, others, settings).map(({ field, others: names }) => [field, names]),
  );
  const fields = judgeFields(policy, settings).map(({ field, refusal }) => {
    const rivals = conflicts.get(field);
    if (refusal !== undefined) return { field, verdict: 'Refused', message: refusal };
    return rivals === undefined
      ? { field, verdict: 'InForce' }
      : {
          field,
          verdict: 'Conflict',
          message: `disagrees with ${rivals.join(', ')}; the ChainwrightConfig decides for runs of both`,
        };
  });
  const details = { fields: fields.slice(0, maxFields) };
  const without = fields.filter(({ verdict }) => verdict !== 'InForce');
  if (without.length > 0) {
    const reason = without.some(({ verdict }) => verdict === 'Refused') ? 'Refused' : 'Conflict';
    const message = without.map(({ field, message: why = '' }) => `${field}: ${why}`).join('; ');
    return { ...unready(reason, `without effect: ${message}; the rest is in force`), details };
  }
  const ready: Finding = {
    type: 'Ready',
    status: 'True',
    reason: 'InForce',
    message: 'all of it is in force',
  };
  return { findings: [ready], event: { type: 'Normal', reason: eventReasons.signingPolicyInForce }, details };
}

const maxFields = 200;

function unready(reason: string, message: string): ObjectVerdict {
  return {
    findings: [{ type: 'Ready', status: 'False', reason, message }],
    event: { type: 'Warning', reason: eventReasons.signingPolicyRefused },
  };
}
