import { AppError } from '../model/errors.ts';
import { formatFieldFaults, invalidValue } from './field-fault.ts';
import type { FieldFault } from './field-fault.ts';
import { parseShape } from './object-shape.ts';
import { clusterImagePolicyShape } from './policy-schema.ts';
import type { AuthoritySpec, PolicyObject, PolicySpec } from './policy-schema.ts';
import { specFaults } from './policy-rules.ts';

/** The annotation that chooses how absent fields and image signatures are judged. */
const evaluationAnnotation = 'policy.chainwright.dev/evaluation';
/** The annotation by which a policy forbids that anything is let off it. */
const exceptionsAnnotation = 'policy.chainwright.dev/exceptions';
/** The annotations that say, besides the spec, how a policy judges. */
export const ruleAnnotations = [evaluationAnnotation, exceptionsAnnotation] as const;

/** A policy whose fields were checked and given their defaults; both versions are one. */
export interface ClusterImagePolicy {
  readonly name: string;
  readonly evaluation: 'strict' | 'permissive';
  readonly mode: 'enforce' | 'warn';
  /** Whether ImagePolicyExceptions count for it. */
  readonly exceptions: 'allowed' | 'forbidden';
  readonly images: readonly string[];
  readonly match: PolicySpec['match'];
  readonly authorities: readonly (AuthoritySpec & { readonly name: string })[];
  readonly policy?: PolicySpec['policy'];
}

/** What reading a policy tells. */
export interface PolicyReading {
  /** Absent if there is a fault. */
  readonly policy?: ClusterImagePolicy;
  readonly faults: readonly FieldFault[];
}

const publicFulcio = 'https://fulcio.sigstore.dev';

/**
 * Reads a `policy.sigstore.dev` ClusterImagePolicy, v1alpha1 or v1beta1, with policy-controller's rules and defaults;
 * all faults at once. `namespace` is the controller's, where the Secrets lie that a policy names.
 */
export function readClusterImagePolicy(value: unknown, namespace: string): PolicyReading {
  const { parsed, faults } = parseShape(clusterImagePolicyShape, value);
  if (parsed === undefined) return { faults };
  const spec = { ...parsed.spec, authorities: parsed.spec.authorities.map(withDefaults) };
  const evaluation = parsed.metadata.annotations?.[evaluationAnnotation] ?? 'strict';
  const all = [
    ...faults,
    ...specFaults(spec, namespace),
    ...evaluationFaults(evaluation),
    ...exceptionFaults(parsed.metadata.annotations?.[exceptionsAnnotation]),
  ];
  if (all.length > 0) return { faults: all };
  return { policy: toPolicy({ ...parsed, spec }, evaluation), faults: [] };
}

/** As {@link readClusterImagePolicy}. Throws ERR_POLICY_INVALID with every fault in the message. */
export function parseClusterImagePolicy(value: unknown, namespace: string): ClusterImagePolicy {
  const { policy, faults } = readClusterImagePolicy(value, namespace);
  if (policy !== undefined) return policy;
  throw invalidObject('ClusterImagePolicy', value, faults);
}

/** ERR_POLICY_INVALID: an object of policy.sigstore.dev that its webhook would refuse. */
export function invalidObject(kind: string, value: unknown, faults: readonly FieldFault[]): AppError {
  const name = nameOf(value);
  return new AppError('ERR_POLICY_INVALID', `${kind} ${name} is invalid:\n${formatFieldFaults(faults)}`, {
    kind: 'permanent',
    object: name,
    remedy: 'Correct the fields that are named; `chainwright policy lint` tells the same.',
  });
}

/** The name of an object that may be malformed, for messages. */
export function nameOf(value: unknown): string {
  const { metadata } = (typeof value === 'object' && value !== null ? value : {}) as { metadata?: unknown };
  const { name } = (typeof metadata === 'object' && metadata !== null ? metadata : {}) as { name?: unknown };
  return typeof name === 'string' ? name.slice(0, 253) : 'without name';
}

function evaluationFaults(evaluation: string): readonly FieldFault[] {
  return evaluation === 'strict' || evaluation === 'permissive'
    ? []
    : [invalidValue(evaluation, `metadata.annotations.${evaluationAnnotation}`, 'strict or permissive')];
}

function exceptionFaults(exceptions: string | undefined): readonly FieldFault[] {
  return exceptions === undefined || exceptions === 'allowed' || exceptions === 'forbidden'
    ? []
    : [invalidValue(exceptions, `metadata.annotations.${exceptionsAnnotation}`, 'allowed or forbidden')];
}

/** Whether annotations allow exceptions: whatever is neither absent nor `allowed` forbids them. */
export function exceptionsBy(
  annotations: Readonly<Record<string, string>> | undefined,
): ClusterImagePolicy['exceptions'] {
  return (annotations?.[exceptionsAnnotation] ?? 'allowed') === 'allowed' ? 'allowed' : 'forbidden';
}

function withDefaults(authority: AuthoritySpec, index: number): AuthoritySpec & { readonly name: string } {
  const { name = '', keyless } = authority;
  const named = { ...authority, name: name === '' ? `authority-${index}` : name };
  const isBare = keyless !== undefined && (keyless.url ?? '') === '' && keyless['ca-cert'] === undefined;
  return isBare ? { ...named, keyless: { ...keyless, url: publicFulcio } } : named;
}

function toPolicy(
  {
    metadata,
    spec,
  }: PolicyObject & { readonly spec: { readonly authorities: ClusterImagePolicy['authorities'] } },
  evaluation: string,
): ClusterImagePolicy {
  const { images, match, authorities, policy, mode } = spec;
  return {
    name: metadata.name,
    evaluation: evaluation === 'permissive' ? 'permissive' : 'strict',
    mode: mode === 'warn' ? 'warn' : 'enforce',
    exceptions: exceptionsBy(metadata.annotations),
    images: images.map(({ glob = '' }) => glob),
    match,
    authorities,
    ...(policy === undefined ? {} : { policy }),
  };
}
