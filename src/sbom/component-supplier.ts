import type { FoundComponent } from './cataloguer.ts';

/**
 * Names a supplier for components that tell none themselves: that of the package in whose folder or archive they lie,
 * which supplied them ("may often be the manufacturer, but may also be a distributor or repackager", CycloneDX). The
 * property `supplier-from` says so.
 */
export function nameSuppliers(components: readonly FoundComponent[]): readonly FoundComponent[] {
  if (components.every(({ supplier }) => supplier !== undefined)) return components;
  const carriers = indexCarriers(components);
  return components.map((component) => {
    if (component.supplier !== undefined) return component;
    const carrier = carrierOf(component.locations[0].path, carriers);
    return carrier?.supplier === undefined ? component : suppliedBy(component, carrier.supplier, carrier.ref);
  });
}

/** The component with a supplier that is not its own word. */
export function suppliedBy(
  component: FoundComponent,
  supplier: NonNullable<FoundComponent['supplier']>,
  from: string,
): FoundComponent {
  return { ...component, supplier, properties: { ...component.properties, 'supplier-from': from } };
}

/** Components that name their supplier, by the folders and archives that they stand for. */
function indexCarriers(components: readonly FoundComponent[]): ReadonlyMap<string, FoundComponent> {
  const carriers = new Map<string, FoundComponent>();
  for (const component of components) {
    if (component.supplier === undefined) continue;
    for (const folder of component.locations.flatMap(({ path }) => foldersOf(path))) {
      if (!carriers.has(folder)) carriers.set(folder, component);
    }
  }
  return carriers;
}

/** npm's packages lie beside their manifest, Python's in a folder mostly named like that of their metadata. */
function foldersOf(path: string): readonly string[] {
  if (/\.[jwe]ar$/.test(path)) return [path];
  const folder = path.slice(0, path.lastIndexOf('/'));
  if (path.endsWith('/package.json')) return [folder];
  const [, site = '', name = ''] = /^(.*\/)([\w.]+)-[^/]*\.dist-info$/.exec(folder) ?? [];
  return name === '' ? [] : [folder, `${site}${name.toLowerCase()}`];
}

function carrierOf(path: string, carriers: ReadonlyMap<string, FoundComponent>): FoundComponent | undefined {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
    const found = carriers.get(path.slice(0, at).replace(/!$/, ''));
    if (found !== undefined) return found;
  }
  return undefined;
}
