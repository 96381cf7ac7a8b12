import { PackageURL } from 'packageurl-js';
import type { FoundComponent, Location } from '../../cataloguer.ts';
import type { EmbeddedBom, EmbeddedComponent } from './cyclonedx-document.ts';
import { defined } from './json-fields.ts';

/** How a BOM inside the image becomes components of ours. */
export interface EmbeddedBomOptions {
  readonly location: Location;
  /** Property `embedded-bom`: who wrote the document, e.g. `PEP 770`. */
  readonly origin: string;
}

/**
 * The components of a BOM that lies in the image, with the edges that it gives. Its own subject is left out: the
 * package that carries the document stands for it.
 */
export function embeddedComponents(bom: EmbeddedBom, options: EmbeddedBomOptions): FoundComponent[] {
  const refs = new Map(bom.components.map((component) => [component.ref, refOf(component)]));
  const edges = new Map(bom.edges);
  return bom.components.map((component) => ({
    ref: refOf(component),
    ...defined({
      purl: purlOf(component),
      type: component.isApplication === true ? ('application' as const) : undefined,
      group: component.group,
      version: component.version,
      supplier: component.supplier === undefined ? undefined : { name: component.supplier },
      licences: component.licences,
      hashes: component.hashes,
    }),
    name: component.name,
    locations: [options.location],
    technique: 'manifest-analysis',
    confidence: 0.8,
    dependsOn: (edges.get(component.ref) ?? []).flatMap((target) => refs.get(target) ?? []),
    properties: { 'embedded-bom': options.origin },
  }));
}

/** The `ref`s of a document's components that nothing else in it depends on: what its carrier needs directly. */
export function embeddedRoots(bom: EmbeddedBom): string[] {
  const refs = new Map(bom.components.map((component) => [component.ref, refOf(component)]));
  const named = bom.root === undefined ? undefined : new Map(bom.edges).get(bom.root.ref);
  if (named !== undefined) return named.flatMap((target) => refs.get(target) ?? []);
  const targets = new Set(bom.edges.flatMap(([, dependsOn]) => dependsOn));
  return [...refs].filter(([ref]) => !targets.has(ref)).map(([, ref]) => ref);
}

function refOf(component: EmbeddedComponent): string {
  return purlOf(component) ?? `embedded:${component.name}@${component.version ?? ''}`;
}

/** The purl in canonical form; undefined where it is none. */
function purlOf({ purl }: EmbeddedComponent): string | undefined {
  if (purl === undefined) return undefined;
  try {
    return PackageURL.fromString(purl).toString();
  } catch {
    // A document's mistake costs the purl, not the component.
    return undefined;
  }
}
