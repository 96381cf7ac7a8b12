import { openPolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import type {
  CompiledPolicy,
  EvaluationMode,
  PolicyEngine,
  PolicyEngineOptions,
} from '../../../src/policy/evaluation/policy-engine.ts';
import type { PolicyVerdict } from '../../../src/policy/evaluation/engine-answers.ts';
import type { PolicyLanguage } from '../../../src/policy/evaluation/wasm-modules.ts';
import { patientLimits } from '../../support/patient-limits.ts';

/** A signal for calls that no test cancels. */
export const patience: AbortSignal = new AbortController().signal;

/** A clock that a test can set. */
export interface SettableClock {
  now(): Date;
  sleep(): Promise<void>;
  set(at: string): void;
}

export function settableClock(): SettableClock {
  let current = new Date('2026-08-01T12:00:00Z');
  return {
    now: () => current,
    sleep: () => Promise.resolve(),
    set: (at) => {
      current = new Date(at);
    },
  };
}

/** An engine for a machine that is busy with other tests: generous deadlines unless a test says otherwise. */
export function openTestEngine(options: Partial<PolicyEngineOptions> = {}): PolicyEngine {
  return openPolicyEngine({
    clock: settableClock(),
    ...options,
    limits: { ...patientLimits, ...options.limits },
  });
}

export async function compilePolicy(
  engine: PolicyEngine,
  type: PolicyLanguage,
  data: string,
): Promise<CompiledPolicy> {
  return await engine.compile({ type, data, object: 'the policy under test' }, { signal: patience });
}

/** Judges a document, given as a value or as JSON. */
export async function judge(
  policy: CompiledPolicy,
  document: unknown,
  mode: EvaluationMode = 'strict',
): Promise<PolicyVerdict> {
  const json = typeof document === 'string' ? document : JSON.stringify(document);
  return await policy.evaluate(Buffer.from(json), { mode, signal: patience });
}
