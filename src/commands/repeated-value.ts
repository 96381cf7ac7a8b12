/**
 * Parses an option that may be given more than once, each time with one value. Commander's own form with several values after
 * one flag (`<file...>`) would take the argument that follows for one of them.
 */
export function addValue(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
