import { AppError } from '../../model/errors.ts';
import type { CompilationAnswer } from './engine-answers.ts';
import type { PolicyLanguage } from './wasm-modules.ts';

/** ERR_POLICY_COMPILE: a policy that does not compile, with the place in its source where the compiler stopped. */
export class PolicyCompileError extends AppError {
  /** Counts from one. */
  readonly line: number | undefined;
  /** Counts from one, in bytes. */
  readonly column: number | undefined;
  /** The compiler's own words; policy-controller's text ends with them. */
  readonly reference: string;

  constructor(language: PolicyLanguage, fault: NonNullable<CompilationAnswer['fault']>, object: string) {
    const place = fault.line === undefined ? '' : ` at line ${fault.line}, column ${fault.column ?? 1}`;
    super('ERR_POLICY_COMPILE', `the ${language} policy does not compile${place}: ${fault.message}`, {
      kind: 'permanent',
      object,
      remedy: 'Correct the policy; `chainwright policy lint` checks it without a cluster.',
    });
    this.name = 'PolicyCompileError';
    this.line = fault.line;
    this.column = fault.column;
    this.reference = fault.message;
  }
}

/** ERR_POLICY_TIMEOUT: a policy or document that costs more time than it is given. */
export function timeoutFault(what: string, timeoutMs: number): AppError {
  return new AppError('ERR_POLICY_TIMEOUT', `${what} was stopped after ${timeoutMs} ms`, {
    kind: 'permanent',
    remedy: 'Simplify the policy, or judge a smaller document.',
  });
}

/** ERR_POLICY_CRASHED: a policy or document that took all memory or stack, or that the evaluator fell over. */
export function crashFault(what: string, reason: string): AppError {
  return new AppError('ERR_POLICY_CRASHED', `${what} broke the evaluator: ${reason}`, {
    kind: 'permanent',
    remedy: 'Simplify the policy, or judge a smaller document.',
  });
}

/** ERR_POLICY_ENGINE_BUSY: too many evaluations wait already. */
export function busyFault(queued: number): AppError {
  return new AppError('ERR_POLICY_ENGINE_BUSY', `${queued} evaluations wait already`, {
    kind: 'passing',
    remedy: 'Try again; if it lasts, run more replicas of the webhook.',
  });
}

/** ERR_POLICY_RESTING: the policy was stopped several times in a row and is not evaluated for a while. */
export function restingFault(object: string, strikes: number, restMs: number): AppError {
  return new AppError(
    'ERR_POLICY_RESTING',
    `the policy was stopped ${strikes} times in a row and is not evaluated for ${restMs / 1000} s`,
    {
      kind: 'passing',
      object,
      remedy: 'Simplify the policy: it takes more time or memory than an evaluation may.',
    },
  );
}

/** ERR_POLICY_SIZE: a policy or document beyond its limit. */
export function sizeFault(what: string, bytes: number, maxBytes: number): AppError {
  return new AppError('ERR_POLICY_SIZE', `${what} has ${bytes} bytes, ${maxBytes} are allowed`, {
    kind: 'permanent',
    remedy: 'Make it smaller, or leave the rule that needs it out of the policy.',
  });
}

/** ERR_POLICY_ENGINE_CLOSED: a call after close(). */
export function closedFault(): AppError {
  return new AppError('ERR_POLICY_ENGINE_CLOSED', 'the policy engine is closed', { kind: 'bug' });
}

/** ERR_POLICY_ENGINE_START: the thread of an evaluator did not come up. */
export function startFault(reason: string): AppError {
  return new AppError('ERR_POLICY_ENGINE_START', `the evaluator did not start: ${reason}`, {
    kind: 'passing',
    remedy: 'Look at the memory limit of the Pod: an evaluator needs about 200 MiB.',
  });
}
