import type { z } from 'zod';
import type { FieldFault } from './field-fault.ts';

type Path = readonly PropertyKey[];

// Deeper than any field of these kinds.
const maxDepth = 32;

/**
 * Parses an object by a strict shape, and tells all faults at once. Fields that the shape does not know are faults, but
 * what remains without them is parsed all the same, so that its values can be judged too. A field that is null is none, as
 * for the API server, which drops it.
 */
export function parseShape<Shape extends z.ZodType>(
  shape: Shape,
  unread: unknown,
): { readonly parsed: z.output<Shape> | undefined; readonly faults: readonly FieldFault[] } {
  const value = withoutNulls(unread);
  const first = shape.safeParse(value);
  if (first.success) return { parsed: first.data, faults: [] };
  const faults = first.error.issues.flatMap(toFaults);
  const known = structuredClone(value);
  for (const issue of first.error.issues) {
    if (issue.code === 'unrecognized_keys') removeFields(known, issue.path, issue.keys);
  }
  const second = shape.safeParse(known);
  return { parsed: second.success ? second.data : undefined, faults };
}

function withoutNulls(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > maxDepth) return value;
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, depth + 1));
  const given = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(given.map(([name, field]) => [name, withoutNulls(field, depth + 1)]));
}

function toFaults(issue: z.core.$ZodIssue): readonly FieldFault[] {
  const path = formatPath(issue.path);
  if (issue.code !== 'unrecognized_keys') return [{ message: issue.message, paths: [path] }];
  // As Go's decoder says it, with the place that it leaves out.
  return issue.keys.map((key) => ({ message: `json: unknown field "${key}"`, paths: [path] }));
}

function formatPath(path: Path): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text === '' ? 'object' : text.replace(/^\./, '');
}

function removeFields(root: unknown, path: Path, keys: readonly string[]): void {
  let current: unknown = root;
  for (const part of path) current = (current as Record<PropertyKey, unknown>)[part];
  for (const key of keys) Reflect.deleteProperty(current as object, key);
}
