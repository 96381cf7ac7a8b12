import type { Finding } from '../kube/conditions.ts';
import { dropLeftFinalizers } from '../kube/foreign-finalizers.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { WorkResult } from '../kube/work-queue.ts';
import { AppError, isAppError, messageOf } from '../model/errors.ts';
import { invalidObject, readClusterImagePolicy } from '../policy/cluster-image-policy.ts';
import type { PolicyEngine } from '../policy/evaluation/policy-engine.ts';
import type { PolicyReferences } from '../policy/policy-references.ts';
import type { PolicyRegister } from '../policy/policy-register.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { brokenCompilation, compilePolicy, sourceOf } from './cluster-image-policy-compilation.ts';
import type { PolicyCompilation } from './cluster-image-policy-compilation.ts';
import { InputRecorder, areUnchanged } from './cluster-image-policy-inputs.ts';
import type { PolicyInput } from './cluster-image-policy-inputs.ts';
import { verdictOn } from './cluster-image-policy-verdict.ts';
import type { PolicyOutcome } from './cluster-image-policy-verdict.ts';
import type { Retirement } from './cluster-image-policy-retirement.ts';
import type { ObjectStatus, ObjectVerdict } from './policy-object-status.ts';

/** What policies refer to, as the cluster and the servers around it have it. */
export interface ReferenceSource {
  /** Calls end with `signal`. */
  open(signal: AbortSignal): PolicyReferences;
  /** Why an older content of an input serves on, if it does. */
  faultOf(input: PolicyInput): AppError | undefined;
}

/** What reconciling policies takes. */
export interface ClusterImagePolicyReconcilerParts {
  readonly client: Pick<KubeClient, 'mergePatch'>;
  /** The policy of that name as last seen. */
  readonly find: (name: string) => KubeObject | undefined;
  readonly namespace: string;
  readonly register: PolicyRegister;
  readonly engine: Pick<PolicyEngine, 'compile'>;
  readonly references: ReferenceSource;
  readonly retirement: Pick<Retirement, 'retire'>;
  readonly status: Pick<ObjectStatus, 'report'>;
  /** What else there is to tell about a policy; nothing if absent. */
  readonly remarks?: ((object: KubeObject) => readonly Finding[]) | undefined;
  readonly metrics: Pick<Metrics, 'faultOccurred'>;
  readonly resyncMs: number;
}

interface Held {
  readonly compilation: PolicyCompilation;
  readonly outcome: PolicyOutcome;
  /** False: another try may end otherwise though nothing changed. */
  readonly isFinal: boolean;
}

// What is mended without a word to us is looked at again after this time.
const mendMs = 300_000;
// Time is measured by the clock: that it was not enough may be the machine's fault, not the policy's.
const outOfTimeMs = 60_000;

/**
 * Brings ClusterImagePolicies into force: each compiled once, and anew when something changed that it was compiled from. One
 * that cannot be compiled stays in the register with a fault and denies what it is about. Level-based.
 */
export class ClusterImagePolicyReconciler {
  readonly #parts: ClusterImagePolicyReconcilerParts;
  readonly #held = new Map<string, Held>();
  readonly #inWork = new Map<string, InputRecorder>();

  constructor(parts: ClusterImagePolicyReconcilerParts) {
    this.#parts = parts;
  }

  /** How the policies fare. */
  outcomes(): readonly PolicyOutcome['kind'][] {
    return [...this.#held.values()].map(({ outcome }) => outcome.kind);
  }

  /** Names of the policies that were compiled, or are being compiled, from such an input. */
  dependentsOn(isMeant: (input: PolicyInput) => boolean): readonly string[] {
    const settled = [...this.#held].filter(([, { compilation }]) =>
      compilation.inputs.some(({ input }) => isMeant(input)),
    );
    const inWork = [...this.#inWork].filter(([, recorder]) => recorder.inputs.some(isMeant));
    return [...new Set([...settled, ...inWork].map(([name]) => name))];
  }

  /** Brings one policy into force and says so on it. Throws what made that fail, if another try may help. */
  async reconcile(name: string, { signal }: { readonly signal: AbortSignal }): Promise<WorkResult> {
    const { client, find, register, status, resyncMs } = this.#parts;
    const object = find(name);
    if (object === undefined) {
      register.remove(name);
      this.#letGo(name);
      return {};
    }
    const { outcome, compilation } = await this.#bringIntoForce(object, signal);
    if (outcome.kind !== 'in-force') this.#count(outcome.fault);
    // One that is being deleted counts until it is gone.
    if (object.metadata.deletionTimestamp === undefined) {
      await status.report(object, this.#verdictOn(object, outcome), { signal });
    } else {
      await dropLeftFinalizers(client, resourceTypes.clusterImagePolicies, object, { signal });
    }
    if (outcome.kind !== 'in-force' && outcome.fault.kind !== 'permanent') throw outcome.fault;
    return { requeueAfterMs: Math.min(nextLookMs(outcome, compilation) ?? resyncMs, resyncMs) };
  }

  /** Has a policy that is still being compiled for the first time deny what it is about until it is. */
  postpone(name: string): void {
    const object = this.#parts.find(name);
    if (object === undefined || this.#held.has(name)) return;
    const fault = postponedFault(name);
    const outcome = { kind: 'broken', fault, inputs: [] } as const;
    this.#hold(name, { compilation: brokenCompilation(object, fault), outcome, isFinal: false });
    this.#count(fault);
  }

  /** Says on a policy that it was postponed, if it still is; what the API server has against that is left to the next try. */
  async reportPostponed(name: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const object = this.#parts.find(name);
    const outcome = this.#held.get(name)?.outcome;
    if (object === undefined || outcome?.kind !== 'broken' || outcome.fault.code !== postponedCode) return;
    try {
      await this.#parts.status.report(object, this.#verdictOn(object, outcome), { signal });
    } catch (error) {
      if (!isAppError(error) && !signal.aborted) throw error;
    }
  }

  async #bringIntoForce(object: KubeObject, signal: AbortSignal): Promise<Held> {
    const { name } = object.metadata;
    const held = this.#held.get(name);
    const known = held?.compilation.source === sourceOf(object) ? held : undefined;
    try {
      const fresh = await this.#compile(object, known, signal);
      return this.#hold(name, { ...fresh, outcome: this.#outcomeOf(fresh) });
    } catch (error) {
      signal.throwIfAborted();
      const fault = asAppError(error, name);
      if (known !== undefined && known.outcome.kind !== 'broken' && fault.kind === 'passing') {
        const { inputs } = known.compilation;
        return this.#hold(name, { ...known, outcome: { kind: 'stale', fault, inputs } });
      }
      const outcome = { kind: 'broken', fault, inputs: [] } as const;
      return this.#hold(name, { compilation: brokenCompilation(object, fault), outcome, isFinal: false });
    } finally {
      this.#inWork.delete(name);
    }
  }

  /** What is known if nothing changed, else a new compilation; faults of the policy itself are in what it gives. */
  async #compile(
    object: KubeObject,
    known: Held | undefined,
    signal: AbortSignal,
  ): Promise<Pick<Held, 'compilation' | 'isFinal'>> {
    const { namespace, engine, references } = this.#parts;
    const opened = references.open(signal);
    if (known?.isFinal === true && (await areUnchanged(known.compilation.inputs, opened))) return known;
    const { policy, faults } = readClusterImagePolicy(object, namespace);
    if (policy === undefined) {
      const fault = invalidObject('ClusterImagePolicy', object, faults);
      return { compilation: brokenCompilation(object, fault), isFinal: true };
    }
    const recorder = new InputRecorder(opened);
    this.#inWork.set(object.metadata.name, recorder);
    const compilation = await compilePolicy(object, policy, { engine, recorder, signal });
    return { compilation, isFinal: !isOutOfTime(compilation.compiled.fault) };
  }

  #outcomeOf({ compilation: { compiled, inputs } }: Pick<Held, 'compilation'>): PolicyOutcome {
    const { fault } = compiled;
    if (fault !== undefined) return { kind: 'broken', fault, inputs };
    const outdated = inputs.flatMap(({ input }) => this.#parts.references.faultOf(input) ?? []);
    return outdated[0] === undefined ? { kind: 'in-force' } : { kind: 'stale', fault: outdated[0], inputs };
  }

  /** Puts a compilation into force, unless one of the same version is: verdicts that are remembered stay good. */
  #hold(name: string, next: Held): Held {
    const { register, retirement } = this.#parts;
    const before = this.#held.get(name)?.compilation;
    if (before !== undefined && before !== next.compilation && before.version === next.compilation.version) {
      retirement.retire(next.compilation);
      const kept = { ...next, compilation: before };
      this.#held.set(name, kept);
      return kept;
    }
    this.#held.set(name, next);
    if (before === next.compilation) return next;
    register.put(next.compilation);
    if (before !== undefined) retirement.retire(before);
    return next;
  }

  #verdictOn(object: KubeObject, outcome: PolicyOutcome): ObjectVerdict {
    const verdict = verdictOn(object, outcome);
    const remarks = this.#parts.remarks?.(object) ?? [];
    return { ...verdict, findings: [...verdict.findings, ...remarks] };
  }

  #letGo(name: string): void {
    const held = this.#held.get(name);
    this.#held.delete(name);
    if (held !== undefined) this.#parts.retirement.retire(held.compilation);
  }

  #count({ code, kind }: AppError): void {
    this.#parts.metrics.faultOccurred(code, kind);
  }
}

const postponedCode = 'ERR_POLICY_PENDING';

function postponedFault(name: string): AppError {
  const why = 'what it refers to has not answered since the start; it is still being compiled';
  return new AppError(postponedCode, why, {
    kind: 'passing',
    object: name,
    remedy: 'Check the servers that the policy names: it comes into force by itself once they answer.',
  });
}

/** When a policy is looked at again before the next resync; undefined if there is no need. */
function nextLookMs(outcome: PolicyOutcome, compilation: PolicyCompilation): number | undefined {
  if (outcome.kind !== 'broken') return undefined;
  if (isOutOfTime(outcome.fault)) return outOfTimeMs;
  return mayMendUnseen(outcome.fault, compilation) ? mendMs : undefined;
}

function isOutOfTime(fault: AppError | undefined): boolean {
  return fault?.code === 'ERR_POLICY_TIMEOUT';
}

/** True if the fault may go though no object changes that we follow: it lies on other servers, in files, or in our rights. */
function mayMendUnseen({ code }: AppError, { inputs }: PolicyCompilation): boolean {
  return !code.startsWith('ERR_POLICY_') || inputs.some(({ input }) => isUnseen(input));
}

function isUnseen(input: PolicyInput): boolean {
  if (input.kind === 'trust-root') return input.name === undefined;
  return input.kind === 'remote' || input.kind === 'kms';
}

/** What is no AppError is a fault of ours, and the policy denies all the same. */
function asAppError(error: unknown, name: string): AppError {
  if (isAppError(error)) return error;
  return new AppError('ERR_POLICY_COMPILATION', `compiling failed unexpectedly: ${messageOf(error)}`, {
    kind: 'bug',
    object: name,
    remedy: 'Report this, with the policy.',
    cause: error,
  });
}
