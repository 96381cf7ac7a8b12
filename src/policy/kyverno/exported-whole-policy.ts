import type { CompiledWholePolicy } from '../compiled-policy.ts';
import type { OutlineField, OutlineRule } from '../evaluation/policy-outline.ts';
import { allOf, anyOf } from './cel-text.ts';
import { celOfRule } from './cue-rules.ts';
import type { ExportedAuthority } from './exported-authority.ts';
import { notePermissive } from './exported-authority.ts';
import type { NoteLimitation } from './limitation.ts';

/** What exporting takes. */
export interface WholePolicyParts {
  readonly authorities: readonly ExportedAuthority[];
  readonly evaluation: 'strict' | 'permissive';
  readonly note: NoteLimitation;
}

const where = 'policy';

/**
 * The policy over all authorities, in CEL: CUE rules about the object's `spec` and `metadata`, as far as the policy has them
 * included, and about which authorities vouched. Anything else is never met.
 */
export function celOfWholePolicy({ policy, includes }: CompiledWholePolicy, parts: WholePolicyParts): string {
  const { note, evaluation } = parts;
  if (policy.type === 'rego' || policy.outline === undefined) {
    note({ code: 'rego', where, message: 'Rego cannot be said in CEL; the policy never passes' });
    return 'false';
  }
  if (evaluation === 'permissive') notePermissive(where, note);
  return writeRule(policy.outline, includes, parts);
}

function writeRule(
  rule: OutlineRule,
  includes: CompiledWholePolicy['includes'],
  parts: WholePolicyParts,
): string {
  if (rule.kind === 'all') return allOf(rule.rules.map((part) => writeRule(part, includes, parts)));
  if (rule.kind !== 'struct') return celOfRule(rule, 'object', { where, note: parts.note, numbers: 'int' });
  return allOf(rule.rules.map((field) => writeField(field, includes, parts)));
}

function writeField(
  field: OutlineField,
  { includeSpec, includeObjectMeta, includeTypeMeta }: CompiledWholePolicy['includes'],
  parts: WholePolicyParts,
): string {
  const { text } = field;
  const context = { where, note: parts.note, numbers: 'int' } as const;
  const isIncluded =
    (text === 'spec' && includeSpec === true) || (text === 'metadata' && includeObjectMeta === true);
  if (isIncluded) return celOfRule({ kind: 'struct', rules: [field] }, 'object', context);
  const [rule = { kind: 'any' }] = field.rules;
  if (text === 'typemeta' && includeTypeMeta === true && isAboutType(rule)) {
    return celOfRule(rule, 'object', context);
  }
  if (text === 'authorityMatches' && !field.optional && isAboutNames(rule)) {
    return allOf(rule.rules.map(({ text: name }) => vouchedBy(name, parts.authorities)));
  }
  const message = `a rule about ${JSON.stringify(text.slice(0, 100))} cannot be said in CEL; the policy never passes`;
  parts.note({ code: 'whole-policy', where, message });
  return 'false';
}

/** The object has other fields that its type has not. */
function isAboutType(rule: OutlineRule): boolean {
  return rule.kind === 'struct' && rule.rules.every(({ text }) => text === 'apiVersion' || text === 'kind');
}

/** True for names of authorities of which no more is asked than that they vouch. */
function isAboutNames(rule: OutlineRule): rule is Extract<OutlineRule, { kind: 'struct' }> {
  return (
    rule.kind === 'struct' &&
    rule.rules.every(({ optional, rules: [inner] }) => !optional && inner !== undefined && asksNothing(inner))
  );
}

function asksNothing(rule: OutlineRule): boolean {
  return rule.kind === 'any' || (rule.kind === 'struct' && rule.rules.length === 0);
}

function vouchedBy(name: string, authorities: readonly ExportedAuthority[]): string {
  return anyOf(
    authorities.filter((authority) => authority.name === name).map(({ expression }) => expression),
  );
}
