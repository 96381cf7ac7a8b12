import { predicateTypes } from '../../statements/statement.ts';
import type { CompiledAttestation, CompiledAuthority, SigningAuthority } from '../compiled-policy.ts';
import type { OutlineField, OutlineRule } from '../evaluation/policy-outline.ts';
import { isUri } from '../predicate-type.ts';
import { allOf, anyOf } from './cel-text.ts';
import { celOfRule } from './cue-rules.ts';
import { attestorsOf } from './exported-attestors.ts';
import type { AuthorityAttestors } from './exported-attestors.ts';
import type { NoteLimitation } from './limitation.ts';
import type { KyvernoAttestation, KyvernoAttestor, KyvernoTuf } from './kyverno-types.ts';

/** An authority as a Kyverno policy has it. */
export interface ExportedAuthority {
  readonly name: string;
  /** CEL, true only if the authority vouches for the image in the variable `i`. */
  readonly expression: string;
  readonly attestors: readonly KyvernoAttestor[];
  readonly attestations: readonly KyvernoAttestation[];
}

/** How authorities are exported. */
export interface AuthorityParts {
  readonly evaluation: 'strict' | 'permissive';
  readonly tuf: KyvernoTuf | undefined;
  readonly note: NoteLimitation;
}

/** Exports an authority; `index` makes its names unlike those of the others. */
export function exportAuthority(
  authority: CompiledAuthority,
  index: number,
  parts: AuthorityParts,
): ExportedAuthority {
  const { name } = authority;
  if (authority.kind === 'static') return exportStatic(authority, parts.note);
  const prefix = `a${index}`;
  const attestors = attestorsOf(authority, { prefix, tuf: parts.tuf, note: parts.note });
  const signed = {
    name: `${prefix}signature`,
    intoto: { type: predicateTypes.cosignSign },
  };
  const kinds = authority.attestations.map(({ predicateType }, at) => ({
    name: `${prefix}type${at}`,
    intoto: { type: predicateType },
  }));
  const checks = [
    ...(authority.wantsSignature ? [signatureOf(attestors, signed.name)] : []),
    ...authority.attestations.map((wanted, at) =>
      attestationOf(wanted, kinds[at]?.name ?? '', { attestors, authority, parts }),
    ),
  ];
  const expression = allOf(checks);
  return {
    name,
    expression,
    attestors: attestors.declared,
    attestations: [...(authority.wantsSignature ? [signed] : []), ...kinds],
  };
}

function exportStatic(
  { name, action }: Extract<CompiledAuthority, { kind: 'static' }>,
  note: NoteLimitation,
): ExportedAuthority {
  if (action === 'pass') {
    const message = 'Kyverno reads the image from its registry all the same';
    note({ code: 'static-pass', where: name, message });
  }
  return { name, expression: action === 'pass' ? 'true' : 'false', attestors: [], attestations: [] };
}

function signatureOf({ bundleSignatures, tagSignatures }: AuthorityAttestors, kind: string): string {
  return anyOf([
    ...bundleSignatures.map((attestor) => attestedBy(kind, attestor)),
    ...tagSignatures.map((attestor) => `verifyImageSignatures(i, [attestors.${attestor}]) > 0`),
  ]);
}

function attestedBy(kind: string, attestor: string): string {
  return `verifyAttestationSignatures(i, attestations.${kind}, [attestors.${attestor}]) > 0`;
}

/**
 * Kyverno keeps one verified payload per image and predicate type, that of the last call: so each call stands right before the
 * rule about its payload.
 */
function attestationOf(
  wanted: CompiledAttestation,
  kind: string,
  {
    attestors,
    authority,
    parts: { evaluation, note },
  }: {
    readonly attestors: AuthorityAttestors;
    readonly authority: SigningAuthority;
    readonly parts: AuthorityParts;
  },
): string {
  const where = `${authority.name}, ${wanted.name}`;
  const { predicateType, policy, typed } = wanted;
  // The statement by which cosign signs is a signature here and no attestation.
  if (!isUri(predicateType) || predicateType === predicateTypes.cosignSign) {
    const message = `the predicate type ${JSON.stringify(predicateType.slice(0, 100))} cannot be asked for; it never passes`;
    note({ code: 'predicate-type', where, message });
    return 'false';
  }
  if (policy === undefined) return anyOf(attestors.attestations.map((one) => attestedBy(kind, one)));
  if (typed !== undefined) {
    const message = `predicates are not made into the Go type of ${typed} there; it never passes`;
    note({ code: 'permissive', where, message });
    return 'false';
  }
  const rule = payloadRule(policy.outline, policy.type, { where, note, evaluation });
  if (rule === 'false') return 'false';
  note({
    code: 'attestation-choice',
    where,
    message: 'of several attestations of this type, one alone is looked at',
  });
  return anyOf(
    attestors.attestations.map((one) =>
      allOf([attestedBy(kind, one), `cel.bind(p, extractPayload(i, attestations.${kind}), ${rule})`]),
    ),
  );
}

interface PolicyPlace {
  readonly where: string;
  readonly note: NoteLimitation;
  readonly evaluation: 'strict' | 'permissive';
}

/** The rule of an attestation's policy about the statement in the variable `p`. */
function payloadRule(
  outline: OutlineRule | undefined,
  language: 'cue' | 'rego',
  { where, note, evaluation }: PolicyPlace,
): string {
  if (language === 'rego' || outline === undefined) {
    note({ code: 'rego', where, message: 'Rego cannot be said in CEL; it never passes' });
    return 'false';
  }
  if (evaluation === 'permissive') notePermissive(where, note);
  return celOfRule(withoutForeignFields(outline), 'p', { where, note, numbers: 'double' });
}

/** Says that absent fields deny. */
export function notePermissive(where: string, note: NoteLimitation): void {
  const message = 'a rule about an absent field is not met, as in strict mode';
  note({ code: 'permissive', where, message });
}

/** Of a statement the subjects are given to CEL in another form than to CUE. */
const statementFields = ['_type', 'predicateType', 'predicate'];

function withoutForeignFields(rule: OutlineRule): OutlineRule {
  if (rule.kind === 'all') return { ...rule, rules: rule.rules.map(withoutForeignFields) };
  if (rule.kind !== 'struct') return rule;
  const foreign = rule.rules.filter(({ text }) => !statementFields.includes(text));
  const own: readonly OutlineField[] = rule.rules.filter(({ text }) => statementFields.includes(text));
  if (foreign.length === 0) return rule;
  const refused = foreign.map(({ text }) => ({
    kind: 'unsupported' as const,
    text: `the field ${JSON.stringify(text.slice(0, 100))} of a statement`,
    line: 0,
  }));
  return { kind: 'all', rules: [...refused, { ...rule, rules: own }] };
}
