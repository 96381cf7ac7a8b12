import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { KubeObject } from '../kube/kube-object.ts';
import type { AppError } from '../model/errors.ts';
import type { ClusterImagePolicy } from '../policy/cluster-image-policy.ts';
import type { CompiledPolicy, PolicyEngine } from '../policy/evaluation/policy-engine.ts';
import { compileClusterPolicy } from '../policy/policy-compiler.ts';
import type { RegisteredPolicy } from '../policy/policy-register.ts';
import { brokenPolicyOf } from './cluster-image-policy-scope.ts';
import type { InputRecorder, ReadInput } from './cluster-image-policy-inputs.ts';

/** A policy as the register has it, with what it was made from. */
export interface PolicyCompilation extends RegisteredPolicy {
  /** Tells one text of the policy from another. */
  readonly source: string;
  readonly inputs: readonly ReadInput[];
  /** Lets the evaluators forget it; nothing may judge by it any more. Never throws. */
  release(): Promise<void>;
}

/** What compiling takes. */
export interface CompilationParts {
  readonly engine: Pick<PolicyEngine, 'compile'>;
  readonly recorder: InputRecorder;
  readonly signal: AbortSignal;
}

/** Tells one text of a policy from another: what of the object counts, in canonical form. Labels and status don't. */
export function sourceOf({ metadata, spec }: KubeObject): string {
  const annotations = Object.entries(metadata.annotations ?? {});
  const ours = annotations.filter(([name]) => name.startsWith('policy.chainwright.dev/'));
  return digestOf([metadata.uid, spec, Object.fromEntries(ours)]);
}

/** Compiles a policy and notes from what. A fault of the policy is in what it gives. Throws as the compiler does. */
export async function compilePolicy(
  object: KubeObject,
  policy: ClusterImagePolicy,
  { engine, recorder, signal }: CompilationParts,
): Promise<PolicyCompilation> {
  const evaluators = new Evaluators(engine);
  try {
    const compiled = await compileClusterPolicy(policy, { engine: evaluators, references: recorder, signal });
    const inputs = await recorder.read();
    const source = sourceOf(object);
    const version = versionOf(source, inputs, compiled.fault);
    if (compiled.fault !== undefined) await evaluators.release();
    return { compiled, version, source, inputs, release: () => evaluators.release() };
  } catch (error) {
    await evaluators.release();
    throw error;
  }
}

/** What stands for a policy that could not be compiled: it denies what the policy is about, or may be. */
export function brokenCompilation(object: KubeObject, fault: AppError): PolicyCompilation {
  const source = sourceOf(object);
  return {
    compiled: brokenPolicyOf(object, fault),
    version: versionOf(source, [], fault),
    source,
    inputs: [],
    release: () => Promise.resolve(),
  };
}

function versionOf(source: string, inputs: readonly ReadInput[], fault: AppError | undefined): string {
  return digestOf([source, inputs, fault?.code, fault?.message]);
}

function digestOf(value: readonly unknown[]): string {
  return hash('sha256', canonicalize(value.map((one) => one ?? null)) ?? '', 'hex');
}

/** Remembers what was compiled for one policy, so that nothing of it is left behind, a part of a failed one included. */
class Evaluators implements Pick<PolicyEngine, 'compile'> {
  readonly #engine: Pick<PolicyEngine, 'compile'>;
  readonly #made = new Set<CompiledPolicy>();
  #isReleased = false;

  constructor(engine: Pick<PolicyEngine, 'compile'>) {
    this.#engine = engine;
  }

  readonly compile: PolicyEngine['compile'] = async (source, options) => {
    const made = await this.#engine.compile(source, options);
    this.#made.add(made);
    // It comes too late: another part failed meanwhile.
    if (this.#isReleased) await this.release();
    return made;
  };

  async release(): Promise<void> {
    this.#isReleased = true;
    const made = [...this.#made];
    this.#made.clear();
    // What cannot be forgotten in a thread that broke is gone with the thread.
    await Promise.allSettled(made.map((policy) => policy.release()));
  }
}
