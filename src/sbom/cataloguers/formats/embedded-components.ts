import { PackageURL } from 'packageurl-js';
import type { FoundComponent, Location } from '../../cataloguer.ts';
import { identify } from './component-identity.ts';
import type { ComponentIdentity } from './component-identity.ts';
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
 * package that carries the document stands for it. So are those without a version, which nobody can look up; see
 * {@link unversionedNames}.
 */
export function embeddedComponents(bom: EmbeddedBom, options: EmbeddedBomOptions): FoundComponent[] {
  const listed = listedComponents(bom);
  const refs = refsOf(bom);
  const edges = new Map(bom.edges);
  return listed.map((component) => ({
    ...identityOf(component),
    ...defined({
      scope: component.isExcluded === true ? ('excluded' as const) : undefined,
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
  const refs = refsOf(bom);
  const named = bom.root === undefined ? undefined : new Map(bom.edges).get(bom.root.ref);
  if (named !== undefined) return named.flatMap((target) => refs.get(target) ?? []);
  const targets = new Set(bom.edges.flatMap(([, dependsOn]) => dependsOn));
  return [...refs].filter(([ref]) => !targets.has(ref)).map(([, ref]) => ref);
}

/** The names of the components that the document gives without a version. */
export function unversionedNames(bom: EmbeddedBom): readonly string[] {
  return bom.components.filter(({ version }) => version === undefined).map(({ name }) => name);
}

function listedComponents({ root, components }: EmbeddedBom): readonly EmbeddedComponent[] {
  return components.filter(({ ref, version }) => version !== undefined && ref !== root?.ref);
}

function refsOf(bom: EmbeddedBom): ReadonlyMap<string, string> {
  return new Map(listedComponents(bom).map((component) => [component.ref, identityOf(component).ref]));
}

/** By its purl in canonical form; else by its `bom-ref` if that is a purl; else by name and version alone. */
function identityOf({ purl, ref, name, version }: EmbeddedComponent): ComponentIdentity {
  const own = canonicalPurl(purl) ?? canonicalPurl(ref, version);
  return own === undefined ? identify({ type: 'generic', name, version }) : { ref: own, purl: own };
}

function canonicalPurl(purl: string | undefined, version?: string): string | undefined {
  if (purl?.startsWith('pkg:') !== true) return undefined;
  try {
    const parsed = PackageURL.fromString(purl);
    parsed.version ??= version;
    return parsed.toString();
  } catch {
    // A document's mistake costs the purl, not the component.
    return undefined;
  }
}
