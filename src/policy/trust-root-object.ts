import { invalidObject } from './cluster-image-policy.ts';
import type { FieldFault } from './field-fault.ts';
import { parseShape } from './object-shape.ts';
import { trustRootShape } from './policy-schema.ts';
import type { TrustRootSpec } from './policy-schema.ts';
import { trustRootFaults } from './trust-root-rules.ts';

/** A `policy.sigstore.dev` TrustRoot whose fields were checked and given their defaults. */
export interface TrustRootObject {
  readonly name: string;
  readonly spec: TrustRootSpec;
}

/** What reading a TrustRoot tells. */
export interface TrustRootReading extends Partial<TrustRootObject> {
  readonly faults: readonly FieldFault[];
}

/**
 * Reads a `policy.sigstore.dev/v1alpha1` TrustRoot with policy-controller's rules and defaults, all faults at once;
 * name and spec are absent if there is one. Pure: a TUF repository in the object is only opened by `openingFaults` of
 * trust-root-source.ts.
 */
export function readTrustRootObject(value: unknown): TrustRootReading {
  const { parsed, faults } = parseShape(trustRootShape, value);
  if (parsed === undefined) return { faults };
  const all = [...faults, ...trustRootFaults(parsed.spec)];
  return all.length > 0 ? { faults: all } : { name: parsed.metadata.name, spec: parsed.spec, faults: [] };
}

/** As {@link readTrustRootObject}. Throws ERR_POLICY_INVALID with every fault in the message. */
export function parseTrustRootObject(value: unknown): TrustRootObject {
  const { name, spec, faults } = readTrustRootObject(value);
  if (name === undefined || spec === undefined) throw invalidObject('TrustRoot', value, faults);
  return { name, spec };
}
