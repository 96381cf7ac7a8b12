import type { Finding } from '../kube/conditions.ts';
import type { EventRecorder } from '../kube/events.ts';
import { Informer } from '../kube/informer.ts';
import type { InformerHealth } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { keyOf } from '../kube/object-store.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { ResourceType } from '../kube/resource-type.ts';
import type { Clock } from '../model/clock.ts';
import type { Log } from '../model/log.ts';
import type { PolicyEngine } from '../policy/evaluation/policy-engine.ts';
import type { PolicyRegister } from '../policy/policy-register.ts';
import { noMatchPolicyOf, policyRulesName } from '../policy/referenced-data.ts';
import type { Settings } from '../settings/settings-schema.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { PolicyInput } from './cluster-image-policy-inputs.ts';
import { ClusterImagePolicyReconciler } from './cluster-image-policy-reconciler.ts';
import { Retirement } from './cluster-image-policy-retirement.ts';
import { openClusterReferences } from './policy-cluster-references.ts';
import type { ClusterReferencesParts } from './policy-cluster-references.ts';
import { ExternalValues } from './policy-external-values.ts';
import { ObjectStatus } from './policy-object-status.ts';
import { PolicyQueue } from './policy-queue.ts';
import { ReferencedObjects } from './policy-referenced-objects.ts';
import { TrustRootKeeper } from './trust-root-keeper.ts';
import type { OpenTrustRoot } from './trust-root-keeper.ts';
import { asksForWork, toWatchedPolicy } from './watched-policy.ts';

/** What the follower is made of. Functions that ask servers outside the cluster get a signal that ends after 30 to 60 s. */
export interface PolicyFollowerParts extends Pick<
  ClusterReferencesParts,
  'defaultTrustRoot' | 'fetchRemotePolicy' | 'findKmsKey'
> {
  readonly client: Pick<KubeClient, 'listPages' | 'watch' | 'get' | 'apply' | 'mergePatch'>;
  /** Our own namespace: where Secrets, ConfigMaps and the rules for all policies lie. */
  readonly namespace: string;
  /** Written here, read by whoever judges. */
  readonly register: PolicyRegister;
  readonly engine: Pick<PolicyEngine, 'compile'>;
  readonly settings: Pick<Settings['webhook'], 'policyResyncMs' | 'trustRootResyncMs'>;
  /** `(object) => new TrustRootSource(parseTrustRootObject(object), { dispatcher, clock })` */
  readonly openTrustRoot: OpenTrustRoot;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly metrics: Pick<Metrics, 'faultOccurred'>;
  readonly clock: Clock;
  readonly log: Log;
  /** What else is to be told in the status of a ClusterImagePolicy, besides how it fares; nothing if absent. */
  readonly remarks?: (object: KubeObject) => readonly Finding[];
  /** Numbers in [0, 1) for pauses; `Math.random` if absent. */
  readonly random?: () => number;
}

/** How many policies are how, for metrics. */
export interface PolicyCounts {
  readonly inForce: number;
  /** In force, but something outside the cluster that they refer to could not be read anew. */
  readonly stale: number;
  /** Denying what they are about. */
  readonly broken: number;
}

// A watch is heard of at least once in its idle time; three times that long means that the process is stuck.
const stallMs = 600_000;
// The API server waits at most 30 s for a webhook, so no review that began before is still running then.
const graceMs = 60_000;
const drainMs = 5000;
// A server that is away must not keep the policies out that have nothing to do with it.
const rootsMs = 3000;
const compilingMs = 2000;
// What is re-read by a timer of this period must count as too old then.
const readAnewAt = 0.9;

/**
 * Keeps a {@link PolicyRegister} in step with the cluster: ClusterImagePolicies, TrustRoots, the Secrets, ConfigMaps, URLs and
 * KMS keys that they refer to, and the rules of the ConfigMap `config-policy-controller`; and says on each policy and
 * trust root how it fares. For a composition root:
 *
 *     const follower = new PolicyFollower({ client, namespace, register, engine, ... });
 *     const running = follower.run({ signal });           // until the signal aborts; servers that are away end nothing
 *     ready: { policies: () => follower.findUnready() },  // undefined once `register.inForce` is there
 *     live: { policies: () => follower.findStall() },
 *     metrics.policiesInForce(() => follower.counts());
 *     await running;
 *
 * `register.inForce` appears once the first list of everything has been worked through, each policy compiled or found
 * broken, or after 5 s: what is not compiled by then denies what it is about until it is. From then on it stays, whatever
 * happens to the API server.
 */
export class PolicyFollower {
  readonly #parts: PolicyFollowerParts;
  readonly #policies: Informer<KubeObject>;
  readonly #roots: Informer<KubeObject>;
  readonly #secrets: ReferencedObjects;
  readonly #configMaps: ReferencedObjects;
  readonly #policyQueue: PolicyQueue;
  readonly #rootQueue: PolicyQueue;
  readonly #reconciler: ClusterImagePolicyReconciler;
  readonly #retirement: Retirement;
  #notice: string | undefined;

  constructor(parts: PolicyFollowerParts) {
    this.#parts = parts;
    this.#retirement = new Retirement({ graceMs, clock: parts.clock });
    this.#policies = this.#inform(resourceTypes.clusterImagePolicies, () => this.#policyQueue);
    this.#roots = this.#inform(resourceTypes.trustRoots, () => this.#rootQueue);
    this.#secrets = this.#refer(resourceTypes.secrets, 'secret');
    this.#configMaps = this.#refer(resourceTypes.configMaps, 'configmap');
    const trustRoots = this.#keepTrustRoots();
    this.#reconciler = this.#reconcilePolicies(trustRoots);
    this.#rootQueue = this.#work('TrustRoot', trustRoots);
    this.#policyQueue = this.#work('ClusterImagePolicy', this.#reconciler);
  }

  /** True once everything was worked through: `register.inForce` is there. */
  get isSynced(): boolean {
    return this.#parts.register.inForce !== undefined;
  }

  /** Follows until `signal` aborts, then waits for at most 5 s for what is in work. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const followed = [this.#policies, this.#roots, this.#secrets, this.#configMaps];
    const running = Promise.all(followed.map((one) => one.run({ signal })));
    const synced = Promise.all(followed.map((one) => one.synced)).then(() => this.#begin(signal));
    await Promise.race([running, synced]);
    await running;
    await Promise.all(
      [this.#rootQueue, this.#policyQueue].map((queue) => queue.close({ deadlineMs: drainMs })),
    );
    this.#retirement.close();
  }

  /** Why nothing may be judged yet, if so. */
  findUnready(): string | undefined {
    if (this.isSynced) return undefined;
    const missing = this.#informed().find(([, health]) => !health.isSynced);
    if (missing !== undefined) {
      const [what, { fault }] = missing;
      return `${what} are not listed yet${fault === undefined ? '' : `: ${fault}`}`;
    }
    const policies = this.#policyQueue.untried;
    return policies === undefined
      ? `${this.#rootQueue.untried?.length ?? 0} TrustRoots are not loaded yet`
      : `${policies.length} ClusterImagePolicies are not compiled yet`;
  }

  /** Why a restart may help: nothing was heard of the API server for minutes though it is reachable. */
  findStall(): string | undefined {
    for (const [what, { stalenessMs, fault }] of this.#informed()) {
      if (stalenessMs !== undefined && stalenessMs >= stallMs && fault === undefined) {
        return `no word of ${what} from the API server for ${Math.round(stalenessMs / 1000)} s`;
      }
    }
    return undefined;
  }

  /** The ClusterImagePolicy of that name as last seen. */
  findPolicy(name: string): KubeObject | undefined {
    return this.#policies.find(name);
  }

  /** Has the status of a ClusterImagePolicy looked at again, since there is another remark. */
  remark(name: string): void {
    this.#policyQueue.offer(name);
  }

  counts(): PolicyCounts {
    const kinds = this.#reconciler.outcomes();
    const count = (kind: (typeof kinds)[number]): number => kinds.filter((one) => one === kind).length;
    return { inForce: count('in-force'), stale: count('stale'), broken: count('broken') };
  }

  /** Trust roots come before the policies that name them, so that none is found broken that is not. */
  async #begin(signal: AbortSignal): Promise<void> {
    this.#putRules();
    await this.#within(rootsMs, this.#rootQueue.begin([...this.#roots.values()].map(keyOf)));
    await this.#within(compilingMs, this.#policyQueue.begin([...this.#policies.values()].map(keyOf)));
    if (signal.aborted) return;
    const postponed = this.#policyQueue.untried ?? [];
    for (const name of postponed) this.#reconciler.postpone(name);
    this.#parts.register.complete();
    for (const name of postponed) await this.#reconciler.reportPostponed(name, { signal });
  }

  async #within(ms: number, work: Promise<void>): Promise<void> {
    const isOver = new AbortController();
    await Promise.race([work, this.#parts.clock.sleep(ms, isOver.signal).catch(() => undefined)]);
    isOver.abort();
  }

  #informed(): readonly (readonly [string, InformerHealth])[] {
    return [
      ['ClusterImagePolicies', this.#policies.health()],
      ['TrustRoots', this.#roots.health()],
      ['Secrets', this.#secrets.health()],
      ['ConfigMaps', this.#configMaps.health()],
    ];
  }

  #inform(type: ResourceType, queueOf: () => PolicyQueue): Informer<KubeObject> {
    const { client, clock, log } = this.#parts;
    return new Informer({
      client,
      type,
      namespaces: [],
      clock,
      log,
      transform: toWatchedPolicy,
      onChange: (change) => {
        if (asksForWork(change)) queueOf().offer(keyOf(change.object));
      },
    });
  }

  #refer(type: ResourceType, kind: 'secret' | 'configmap'): ReferencedObjects {
    const { client, namespace, clock, log } = this.#parts;
    return new ReferencedObjects({
      client,
      type,
      namespace,
      clock,
      log,
      always: kind === 'configmap' ? [policyRulesName] : [],
      onChange: (name) => {
        if (kind === 'configmap' && name === policyRulesName) this.#putRules();
        this.#recompile((input) => input.kind === kind && input.name === name);
      },
    });
  }

  #keepTrustRoots(): TrustRootKeeper {
    const { client, openTrustRoot, defaultTrustRoot, settings } = this.#parts;
    return new TrustRootKeeper({
      client,
      find: (name) => this.#roots.find(name),
      open: openTrustRoot,
      status: this.#statusOf(resourceTypes.trustRoots),
      resyncMs: settings.trustRootResyncMs,
      onChange: (name) => {
        const isDefault = name === defaultTrustRoot;
        this.#recompile(
          (input) =>
            input.kind === 'trust-root' && (input.name === name || (isDefault && input.name === undefined)),
        );
      },
    });
  }

  #reconcilePolicies(trustRoots: TrustRootKeeper): ClusterImagePolicyReconciler {
    const { client, namespace, register, engine, settings, metrics, clock, remarks } = this.#parts;
    const { policyResyncMs, trustRootResyncMs } = settings;
    return new ClusterImagePolicyReconciler({
      client,
      find: (name) => this.#policies.find(name),
      namespace,
      register,
      engine,
      references: openClusterReferences({
        ...this.#parts,
        secrets: this.#secrets,
        configMaps: this.#configMaps,
        trustRoots,
        texts: new ExternalValues({ maxAgeMs: policyResyncMs * readAnewAt, clock }),
        defaultRoots: new ExternalValues({ maxAgeMs: trustRootResyncMs * readAnewAt, clock }),
      }),
      retirement: this.#retirement,
      status: this.#statusOf(resourceTypes.clusterImagePolicies),
      metrics,
      remarks,
      resyncMs: policyResyncMs,
    });
  }

  #statusOf(type: ResourceType): ObjectStatus {
    const { client, events, clock, log } = this.#parts;
    return new ObjectStatus({ client, type, events, clock, log });
  }

  #work(kind: string, reconciler: Pick<TrustRootKeeper, 'reconcile'>): PolicyQueue {
    const { clock, log, random } = this.#parts;
    const worker: TrustRootKeeper['reconcile'] = (name, options) => reconciler.reconcile(name, options);
    return new PolicyQueue({ kind, worker, clock, log, random });
  }

  #recompile(isMeant: (input: PolicyInput) => boolean): void {
    for (const name of this.#reconciler.dependentsOn(isMeant)) this.#policyQueue.offer(name);
  }

  #putRules(): void {
    const { register, log } = this.#parts;
    const rules = this.#configMaps.peek(policyRulesName);
    const { noMatch, notice } = noMatchPolicyOf(rules);
    register.putRules({ noMatch });
    const level = rules === undefined ? 'info' : 'warn';
    if (notice !== undefined && notice !== this.#notice) log[level]('rules for all policies', { notice });
    this.#notice = notice;
  }
}
