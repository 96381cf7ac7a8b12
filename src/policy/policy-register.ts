import type { CompiledClusterPolicy } from './compiled-policy.ts';
import type { NoMatchPolicy } from './image-judge.ts';

/** A policy in force. */
export interface RegisteredPolicy {
  readonly compiled: CompiledClusterPolicy;
  /**
   * Differs whenever anything differs that it was compiled from: its text, Secrets, ConfigMaps, URLs, trust roots. A
   * verdict is good for one version alone.
   */
  readonly version: string;
}

/** What holds for all policies: the ConfigMap `config-policy-controller`. */
export interface PolicyRules {
  readonly noMatch: NoMatchPolicy;
}

/** All that is in force at one instant. */
export interface PoliciesInForce {
  readonly policies: readonly RegisteredPolicy[];
  readonly rules: PolicyRules;
}

/** The policies in force, for those who judge; written by whoever follows the cluster's objects. */
export class PolicyRegister {
  readonly #policies = new Map<string, RegisteredPolicy>();
  readonly #listeners = new Set<() => void>();
  #rules: PolicyRules = { noMatch: 'deny' };
  #isComplete = false;
  #inForce: PoliciesInForce | undefined;

  /** What is in force now; undefined until every policy of the cluster is known, and nothing may be admitted. */
  get inForce(): PoliciesInForce | undefined {
    if (!this.#isComplete) return undefined;
    return (this.#inForce ??= { policies: this.#sorted(), rules: this.#rules });
  }

  find(name: string): RegisteredPolicy | undefined {
    return this.#policies.get(name);
  }

  put(policy: RegisteredPolicy): void {
    this.#policies.set(policy.compiled.name, policy);
    this.#changed();
  }

  remove(name: string): void {
    this.#policies.delete(name);
    this.#changed();
  }

  putRules(rules: PolicyRules): void {
    this.#rules = rules;
    this.#changed();
  }

  /** Every policy that the cluster holds has been put once. */
  complete(): void {
    this.#isComplete = true;
    this.#changed();
  }

  /** Has `listener` called after every change; the result ends that. It must not throw. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#inForce = undefined;
    for (const listener of this.#listeners) listener();
  }

  /** By name, so that every replica tells of them in the same order. */
  #sorted(): readonly RegisteredPolicy[] {
    const byName = [...this.#policies].sort(([a], [b]) => (a < b ? -1 : 1));
    return byName.map(([, policy]) => policy);
  }
}
