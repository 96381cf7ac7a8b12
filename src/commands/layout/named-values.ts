import { usageFault } from '../policy/usage-fault.ts';

/** A value of a flag that belongs to a step or an inspection. */
export interface NamedValue {
  readonly name: string;
  readonly value: string;
}

/** Adds one `NAME=VALUE` to those before it. Throws ERR_USAGE_FLAGS. */
export function addNamedValue(given: string, before: readonly NamedValue[] = []): readonly NamedValue[] {
  const at = given.indexOf('=');
  if (at < 1 || at === given.length - 1) {
    throw usageFault(
      `"${given.slice(0, 200)}" is no NAME=VALUE`,
      'Name the step or inspection, and what belongs to it.',
    );
  }
  return [...before, { name: given.slice(0, at), value: given.slice(at + 1) }];
}

/** Adds one value to those before it. */
export function addValue(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, given];
}
