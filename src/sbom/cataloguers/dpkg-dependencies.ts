/** The package names of a relation field: one list for each comma, alternatives in order (deb-control(5)). */
export function parseDependencyField(field: string): readonly (readonly string[])[] {
  return field
    .split(',')
    .map((group) =>
      group
        .split('|')
        // `name:any (>= 1) [amd64] <!nocheck>`: the name ends at the first of these marks.
        .map((alternative) => /^[a-z0-9][a-z0-9+.-]*/i.exec(alternative.trim())?.[0] ?? '')
        .filter((name) => name !== ''),
    )
    .filter((names) => names.length > 0);
}

/** For each group of alternatives the first that `find` knows. */
export function resolveAlternatives<T>(field: string, find: (name: string) => T | undefined): readonly T[] {
  return parseDependencyField(field).flatMap((names) => {
    const found = names.map(find).find((candidate) => candidate !== undefined);
    return found === undefined ? [] : [found];
  });
}
