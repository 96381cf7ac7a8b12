import type { ArtifactRule } from '../../statements/artifact-rule.ts';
import { layoutFault } from '../../statements/layout-fault.ts';
import type { RuledItem } from '../../statements/layout.ts';
import { isSameFile } from '../../statements/link.ts';
import type { Artifacts, Link } from '../../statements/link.ts';
import { matchesPattern } from './name-pattern.ts';

type Side = 'materials' | 'products';

// Of the files that break a rule as many are named.
const maxNamed = 10;

/**
 * Requires that what a step or inspection says keeps its rules (in-toto specification 1.0, section 4.3.3.1): each rule takes
 * the files that it allows out of the line; what no rule takes is allowed. Throws ERR_LAYOUT_RULE.
 */
export function requireRules(item: RuledItem, link: Link, links: ReadonlyMap<string, Link>): void {
  apply('materials', item.expectedMaterials, { item, link, links });
  apply('products', item.expectedProducts, { item, link, links });
}

interface Scene {
  readonly item: RuledItem;
  readonly link: Link;
  readonly links: ReadonlyMap<string, Link>;
}

function apply(side: Side, rules: readonly ArtifactRule[], scene: Scene): void {
  const queue = new Set(scene.link[side].keys());
  for (const rule of rules) {
    if (rule.kind === 'require') {
      if (!queue.has(rule.pattern)) throw broken(rule, side, scene, [`${rule.pattern} is not there`]);
      continue;
    }
    const taken = rule.kind === 'match' ? matched(rule, side, queue, scene) : chosen(rule, queue, scene.link);
    if (rule.kind === 'disallow' && taken.length > 0) throw broken(rule, side, scene, taken);
    for (const name of taken) queue.delete(name);
  }
}

/** The files in the line that a rule is about. */
function chosen(
  { kind, pattern }: Exclude<ArtifactRule, { kind: 'match' }>,
  queue: ReadonlySet<string>,
  { materials, products }: Link,
): readonly string[] {
  const meant = [...queue].filter((name) => matchesPattern(name, pattern));
  switch (kind) {
    case 'create':
      return meant.filter((name) => products.has(name) && !materials.has(name));
    case 'delete':
      return meant.filter((name) => materials.has(name) && !products.has(name));
    case 'modify':
      return meant.filter((name) => isModified(name, materials, products));
    default:
      return meant;
  }
}

function isModified(name: string, materials: Artifacts, products: Artifacts): boolean {
  const [before, after] = [materials.get(name), products.get(name)];
  return before !== undefined && after !== undefined && !isSameFile(before, after);
}

/** The files in the line that another step has, too, with the same content. */
function matched(
  rule: Extract<ArtifactRule, { kind: 'match' }>,
  side: Side,
  queue: ReadonlySet<string>,
  { link, links }: Scene,
): readonly string[] {
  const there = links.get(rule.step)?.[rule.destination];
  if (there === undefined) return [];
  const [from, to] = [folderOf(rule.sourcePrefix), folderOf(rule.destinationPrefix)];
  return [...queue].filter((name) => {
    if (!name.startsWith(from)) return false;
    const bare = name.slice(from.length);
    const [here, other] = [link[side].get(name), there.get(`${to}${bare}`)];
    return (
      here !== undefined &&
      other !== undefined &&
      matchesPattern(bare, rule.pattern) &&
      isSameFile(here, other)
    );
  });
}

function folderOf(prefix: string): string {
  return prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
}

function broken(rule: ArtifactRule, side: Side, { item }: Scene, names: readonly string[]): Error {
  const shown = names.slice(0, maxNamed).map((name) => name.slice(0, 200));
  const more = names.length > maxNamed ? `, and ${names.length - maxNamed} more` : '';
  const text = `${rule.kind.toUpperCase()} ${rule.pattern}`.slice(0, 200);
  return layoutFault(
    'ERR_LAYOUT_RULE',
    item.name,
    `its ${side} break the rule ${text}: ${shown.join(', ')}${more}`,
  );
}
