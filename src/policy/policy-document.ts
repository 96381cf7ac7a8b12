import { isAppError } from '../model/errors.ts';
import type { Statement } from '../statements/statement.ts';
import type { PolicyMessage } from './evaluation/engine-answers.ts';
import type { CompiledPolicy, EvaluateOptions } from './evaluation/policy-engine.ts';
import type { CheckReason } from './judgement.ts';
import { toTypedPredicate } from './typed-predicate.ts';
import type { TypedPredicateName } from './typed-predicate.ts';

/**
 * The document that the policy of an attestation is evaluated on: the statement with the members that the reference
 * knows. A subject without a name has the empty one, as Go's types have it. With `typed` the predicate is that Go type's:
 * throws ERR_POLICY_DOCUMENT.
 */
export function toDocument(
  { _type, predicateType, subject, predicate: attested }: Statement,
  typed?: TypedPredicateName,
): Buffer {
  const subjects = subject.map(({ name = '', digest }) => ({ name, digest }));
  const predicate = typed === undefined ? attested : toTypedPredicate(typed, attested);
  return Buffer.from(JSON.stringify({ _type, predicateType, subject: subjects, predicate }));
}

/**
 * Evaluates a policy on a document: why it is not met, nothing if it is. A document or policy that cannot be evaluated
 * is not met. Throws passing faults of the engine, and the signal's reason.
 */
export async function evaluateDocument(
  policy: CompiledPolicy,
  document: Uint8Array,
  options: EvaluateOptions,
): Promise<readonly CheckReason[]> {
  try {
    const { passed, messages, warnings } = await policy.evaluate(document, options);
    // A Rego policy's warning fails it, as in the reference; mode `warn` makes warnings of failures.
    if (passed) return warnings.map((warning) => unmet(`warning: ${warning}`));
    return messages.length === 0 ? [unmet('the policy is not met')] : messages.map(toReason);
  } catch (error) {
    if (!isAppError(error) || !isVerdict(error)) throw error;
    return [{ code: error.code, message: error.message }];
  }
}

/** A policy that rests was too expensive again and again: waiting does not mend it. */
function isVerdict({ kind, code }: { readonly kind: string; readonly code: string }): boolean {
  return kind === 'permanent' || code === 'ERR_POLICY_RESTING';
}

function toReason({ path, expected, found, text }: PolicyMessage): CheckReason {
  return {
    ...unmet(text),
    ...(path === '' ? {} : { path }),
    ...(expected === undefined || expected === '' ? {} : { expected }),
    ...(found === undefined || found === '' ? {} : { found }),
  };
}

function unmet(message: string): CheckReason {
  return { code: 'ERR_POLICY_UNMET', message };
}
