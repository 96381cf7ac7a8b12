import type { FoundComponent, Location } from './cataloguer.ts';

/** Makes one component of those with equal `ref`s, ordered by `ref`: a package found twice is one with two locations. */
export function mergeComponents(found: readonly FoundComponent[]): readonly FoundComponent[] {
  const merged = new Map<string, FoundComponent[]>();
  for (const component of found) {
    const same = merged.get(component.ref);
    if (same === undefined) merged.set(component.ref, [component]);
    else same.push(component);
  }
  return [...merged.values()].map(unite).sort((a, b) => (a.ref < b.ref ? -1 : 1));
}

function unite(same: readonly FoundComponent[]): FoundComponent {
  const [first, ...others] = same;
  if (first === undefined) throw new RangeError('nothing to unite');
  if (others.length === 0) return first;
  // Fields of the first win; later ones fill what it lacks.
  const base = Object.assign({}, ...[...same].reverse()) as FoundComponent;
  return {
    ...base,
    ...(same.every(({ scope }) => scope === first.scope) ? {} : { scope: 'required' as const }),
    locations: uniteLocations(same),
    licences: uniteTexts(same.map(({ licences }) => licences)),
    dependsOn: uniteTexts(same.map(({ dependsOn }) => dependsOn)),
    hashes: uniteHashes(same),
    dependencies: weakest(same),
    properties: Object.assign({}, ...[...same].reverse().map(({ properties }) => properties ?? {})) as Record<
      string,
      string
    >,
  };
}

function uniteLocations(same: readonly FoundComponent[]): FoundComponent['locations'] {
  const seen = new Map<string, Location>();
  for (const location of same.flatMap(({ locations }) => locations)) seen.set(location.path, location);
  const [first, ...rest] = seen.values();
  return first === undefined ? [{ path: '', layer: 0 }] : [first, ...rest];
}

function uniteTexts(lists: readonly (readonly string[] | undefined)[]): readonly string[] {
  return [...new Set(lists.flatMap((list) => list ?? []))];
}

function uniteHashes(same: readonly FoundComponent[]): NonNullable<FoundComponent['hashes']> {
  const all = same.flatMap(({ hashes }) => hashes ?? []);
  return [...new Map(all.map((hash) => [`${hash.algorithm}:${hash.hex}`, hash])).values()];
}

function weakest(same: readonly FoundComponent[]): NonNullable<FoundComponent['dependencies']> {
  const grades = same.map(({ dependencies }) => dependencies ?? 'unknown');
  return (
    grades.find((grade) => grade === 'incomplete') ??
    grades.find((grade) => grade === 'unknown') ??
    'complete'
  );
}
