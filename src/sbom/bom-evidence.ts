import { bomRefOf } from './bom-component.ts';
import type { BomDetail } from './bom-detail.ts';
import type { BomComposition } from './bom-document.ts';
import type { FoundComponent } from './cataloguer.ts';

/** `evidence` of a component: how and how surely it was identified, and where it lies. */
export function evidenceOf(found: FoundComponent, detail: BomDetail): unknown {
  const { technique, confidence, locations, purl } = found;
  const field = purl === undefined ? 'name' : 'purl';
  const value = locations[0].path;
  return {
    identity: [{ field, confidence, methods: [{ technique, confidence, value }] }],
    occurrences: locations.slice(0, detail.occurrences).map(({ path, layer }) => ({
      location: `/${path}`,
      ...(layer === locations[0].layer ? {} : { additionalContext: `layer ${layer}` }),
    })),
  };
}

/**
 * `compositions`: the image's own completeness (`incomplete` with gaps, else `unknown`, since files may lie in it that
 * no package names), and for each component whether its dependencies are all listed.
 */
export function compositionsOf(
  root: string,
  found: readonly FoundComponent[],
  hasGaps: boolean,
): BomComposition[] {
  const grades = ['complete', 'incomplete', 'unknown'] as const;
  const dependencies = grades.flatMap((aggregate) => {
    const refs = found.filter((one) => gradeOf(one) === aggregate).map(bomRefOf);
    return refs.length === 0 ? [] : [{ aggregate, dependencies: refs }];
  });
  return [
    { aggregate: hasGaps ? 'incomplete' : 'unknown', assemblies: [root], dependencies: [root] },
    ...dependencies,
  ];
}

function gradeOf({ dependencies, incomplete }: FoundComponent): 'complete' | 'incomplete' | 'unknown' {
  return incomplete === undefined ? (dependencies ?? 'unknown') : 'incomplete';
}
