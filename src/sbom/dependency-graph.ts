import type { FoundComponent } from './cataloguer.ts';

/**
 * What the image itself needs, as refs in order: the operating system, then every component that no other needs, and
 * one of each circle that would otherwise hang in the air, so that the graph reaches everything from the root.
 */
export function findTopLevel(components: readonly FoundComponent[]): readonly string[] {
  const edges = new Map(components.map(({ ref, dependsOn }) => [ref, dependsOn ?? []]));
  const needed = new Set(
    components.flatMap(({ ref, dependsOn }) => (dependsOn ?? []).filter((to) => to !== ref)),
  );
  const isSystem = (component: FoundComponent): boolean => component.type === 'operating-system';
  const top = components
    .filter((component) => isSystem(component) || !needed.has(component.ref))
    .map(({ ref }) => ref);
  const reached = new Set<string>();
  reach(top, edges, reached);
  for (const { ref } of components) {
    if (reached.has(ref)) continue;
    top.push(ref);
    reach([ref], edges, reached);
  }
  return top;
}

function reach(
  from: readonly string[],
  edges: ReadonlyMap<string, readonly string[]>,
  reached: Set<string>,
): void {
  const pending = [...from];
  for (let ref = pending.pop(); ref !== undefined; ref = pending.pop()) {
    if (reached.has(ref)) continue;
    reached.add(ref);
    pending.push(...(edges.get(ref) ?? []));
  }
}

/** The components with the edges that lead nowhere taken out: what a package wants but the image does not hold. */
export function dropDanglingEdges(components: readonly FoundComponent[]): readonly FoundComponent[] {
  const known = new Set(components.map(({ ref }) => ref));
  return components.map((component) => {
    const dependsOn = [...new Set(component.dependsOn ?? [])].filter(
      (to) => known.has(to) && to !== component.ref,
    );
    return { ...component, dependsOn };
  });
}
