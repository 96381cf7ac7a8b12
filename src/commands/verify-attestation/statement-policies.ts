import type { CheckReason } from '../../policy/judgement.ts';
import { evaluateDocument, toDocument } from '../../policy/policy-document.ts';
import { parseStatement } from '../../statements/statement.ts';
import type { PolicyFile } from './policy-files.ts';
import type { VerifiedEnvelope } from './verified-envelopes.ts';

/** What a policy file says against a verified statement. */
export interface UnmetPolicy {
  readonly file: string;
  /** Where the statement lies, `HOST/PATH@DIGEST`. */
  readonly ref: string;
  readonly reasons: readonly CheckReason[];
}

/**
 * Evaluates every policy on every statement, as cosign does: one statement that meets a policy excuses no other. Gives
 * what is not met. Throws ERR_STATEMENT, and passing faults of the engine.
 */
export async function findUnmetPolicies(
  envelopes: readonly Pick<VerifiedEnvelope, 'ref' | 'payload'>[],
  policies: readonly PolicyFile[],
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly UnmetPolicy[]> {
  if (policies.length === 0) return [];
  const unmet: UnmetPolicy[] = [];
  for (const { ref, payload } of envelopes) {
    const document = toDocument(parseStatement(payload));
    for (const { file, policy } of policies) {
      const reasons = await evaluateDocument(policy, document, { mode: 'strict', signal });
      if (reasons.length > 0) unmet.push({ file, ref, reasons });
    }
  }
  return unmet;
}
