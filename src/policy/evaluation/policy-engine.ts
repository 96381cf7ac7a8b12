import type { Clock } from '../../model/clock.ts';
import { isAppError } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';
import { silentLog } from '../../model/log.ts';
import type { PolicyVerdict } from './engine-answers.ts';
import { PolicyCompileError, restingFault, sizeFault } from './evaluation-faults.ts';
import { evaluationLimits } from './evaluation-limits.ts';
import type { EvaluationLimits } from './evaluation-limits.ts';
import { LanguageEvaluator } from './language-evaluator.ts';
import type { LoadablePolicy } from './language-evaluator.ts';
import type { OutlineRule } from './policy-outline.ts';
import { loadModule, modulesFolder } from './wasm-modules.ts';
import type { PolicyLanguage } from './wasm-modules.ts';

/** Strict: each field that the policy names has to be there. Permissive: policy-controller's verdict. */
export type EvaluationMode = 'strict' | 'permissive';

/** A policy as a ClusterImagePolicy holds it. */
export interface PolicySource {
  readonly type: PolicyLanguage;
  readonly data: string;
  /** What messages call it, e.g. `ClusterImagePolicy name, attestation sbom`. */
  readonly object: string;
}

/** How to judge one document. */
export interface EvaluateOptions {
  readonly mode: EvaluationMode;
  /** Ends the wait; work in progress ends by its own deadline. */
  readonly signal: AbortSignal;
}

/** A policy that compiles, ready to judge documents. */
export interface CompiledPolicy {
  readonly type: PolicyLanguage;
  /** Paths that the policy asks of every document in strict mode, as far as its text alone tells; at most 200. */
  readonly names: readonly string[];
  /** Built-ins in use that answer differently each time, e.g. `time.now_ns`: their verdicts must not be kept. */
  readonly volatile: readonly string[];
  /** A CUE policy written down for those who have to say it in another language; absent for Rego. */
  readonly outline?: OutlineRule | undefined;
  /**
   * Judges a document: JSON, at most `documentBytes`. A document that does not comply is no error. Throws
   * ERR_POLICY_DOCUMENT, ERR_POLICY_SIZE, ERR_POLICY_TIMEOUT, ERR_POLICY_CRASHED, ERR_POLICY_RESTING,
   * ERR_POLICY_ENGINE_BUSY, ERR_POLICY_ENGINE_START, ERR_POLICY_ENGINE_MODULE, and the signal's reason.
   */
  evaluate(document: Uint8Array, options: EvaluateOptions): Promise<PolicyVerdict>;
  /** Lets the evaluator forget the policy. */
  release(): Promise<void>;
}

/** CUE and Rego, evaluated in threads of their own by the evaluators that policy-controller uses. */
export interface PolicyEngine extends AsyncDisposable {
  /** Compiles a policy. Throws {@link PolicyCompileError} with line and column, and the evaluation's other errors. */
  compile(source: PolicySource, options: { readonly signal: AbortSignal }): Promise<CompiledPolicy>;
  close(): Promise<void>;
}

/** What {@link openPolicyEngine} can be told. */
export interface PolicyEngineOptions {
  /** The time that policies see, and the rest of a stopped policy. */
  readonly clock: Clock;
  readonly log?: Log;
  readonly limits?: Partial<EvaluationLimits>;
  /** Folder of the modules and their lock; the one of this package by default. */
  readonly modules?: URL;
}

/** Opens the policy engine. Nothing is loaded before the first policy of a language is compiled. */
export function openPolicyEngine(options: PolicyEngineOptions): PolicyEngine {
  const limits = { ...evaluationLimits, ...options.limits };
  const folder = options.modules ?? modulesFolder;
  const log = options.log ?? silentLog;
  const evaluatorOf = (language: PolicyLanguage): LanguageEvaluator =>
    new LanguageEvaluator({ loadModule: () => loadModule(language, folder), limits, log });
  const evaluators = { cue: evaluatorOf('cue'), rego: evaluatorOf('rego') };
  let ids = 0;

  const close = async (): Promise<void> => {
    await Promise.all([evaluators.cue.close(), evaluators.rego.close()]);
  };
  return {
    compile: async ({ type, data, object }, { signal }) => {
      const source = Buffer.from(data, 'utf8');
      if (source.length > limits.policyBytes)
        throw sizeFault('the policy', source.length, limits.policyBytes);
      ids += 1;
      const policy: LoadablePolicy = { id: ids, source, object };
      const { fault, names, volatile, outline } = await evaluators[type].compile(policy, signal);
      if (fault !== undefined) throw new PolicyCompileError(type, fault, object);
      const judge = judgeBy({ policy, evaluator: evaluators[type], limits, clock: options.clock });
      const release = (): Promise<void> => evaluators[type].release(policy);
      return { type, names, volatile, outline, evaluate: judge, release };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface JudgeParts {
  readonly policy: LoadablePolicy;
  readonly evaluator: LanguageEvaluator;
  readonly limits: EvaluationLimits;
  readonly clock: Clock;
}

/** Evaluation of one policy, which rests a while after it had to be stopped several times in a row. */
function judgeBy({ policy, evaluator, limits, clock }: JudgeParts): CompiledPolicy['evaluate'] {
  let strikes = 0;
  let restsUntil = 0;
  return async (document, { mode, signal }) => {
    if (document.length > limits.documentBytes) {
      throw sizeFault('the document', document.length, limits.documentBytes);
    }
    const nowMs = clock.now().getTime();
    if (nowMs < restsUntil) throw restingFault(policy.object, limits.strikes, limits.restMs);
    try {
      const verdict = await evaluator.evaluate(
        policy,
        { document, strict: mode === 'strict', nowMs },
        signal,
      );
      strikes = 0;
      return verdict;
    } catch (cause) {
      const stopped =
        isAppError(cause) && (cause.code === 'ERR_POLICY_TIMEOUT' || cause.code === 'ERR_POLICY_CRASHED');
      if (stopped) {
        strikes += 1;
        if (strikes >= limits.strikes) {
          strikes = 0;
          restsUntil = clock.now().getTime() + limits.restMs;
        }
      }
      throw cause;
    }
  };
}
