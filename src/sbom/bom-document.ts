import * as Enums from '@cyclonedx/cyclonedx-library/Enums';
import * as Models from '@cyclonedx/cyclonedx-library/Models';
import * as Serialize from '@cyclonedx/cyclonedx-library/Serialize';
import * as Spec from '@cyclonedx/cyclonedx-library/Spec';
import { bomRefOf, toBomComponent } from './bom-component.ts';
import { bomDetails } from './bom-detail.ts';
import type { BomDetail } from './bom-detail.ts';
import { compositionsOf, evidenceOf } from './bom-evidence.ts';
import type { FoundComponent, Gap } from './cataloguer.ts';
import { suppliedBy } from './component-supplier.ts';
import { dropDanglingEdges, findTopLevel } from './dependency-graph.ts';
import { imageComponent, propertyPrefix } from './image-component.ts';
import type { Inventory } from './inventory.ts';
import type { LayerSource } from './layer-source.ts';
import { serialNumberOf } from './serial-number.ts';

/** Who stands behind a BOM; a BOM cannot be asked for these. */
export interface BomPublisher {
  readonly name: string;
  readonly url?: string;
  readonly email?: string;
}

/** What a BOM says besides what was found; part of the serial number. */
export interface BomSettings {
  /** The program that makes the BOM. */
  readonly generator: { readonly name: string; readonly version: string };
  /** Supplier and manufacturer of the image; the label `org.opencontainers.image.vendor` if absent. */
  readonly publisher?: BomPublisher;
  /** Most bytes that the JSON may take; the log or the readers of the attestation bound it. Absent: any. */
  readonly maxBytes?: number;
}

const epoch = '1970-01-01T00:00:00Z';
const maxGaps = 200;

/** A CycloneDX 1.6 document as plain JSON data. */
export interface BomDocument {
  readonly serialNumber: string;
  readonly version?: number;
  metadata?: Record<string, unknown>;
  components?: Record<string, unknown>[];
  dependencies?: BomDependency[];
  compositions?: BomComposition[];
}

/** The edges of one component. */
export interface BomDependency {
  readonly ref: string;
  readonly dependsOn?: readonly string[];
}

/** How complete the assemblies or dependencies of some components are. */
export interface BomComposition {
  readonly aggregate: 'complete' | 'incomplete' | 'unknown';
  readonly assemblies?: readonly string[];
  readonly dependencies?: readonly string[];
}

/** Writes what was found as CycloneDX 1.6. Pure: the same image, findings and settings give the same document. */
export function writeBom(
  source: LayerSource,
  inventory: Inventory,
  settings: BomSettings,
  detail: BomDetail = bomDetails[0],
): BomDocument {
  const publisher = publisherOf(source, settings);
  const found = dropDanglingEdges(inventory.components).map((one) =>
    // Whoever publishes the image supplies what nobody else is known to have put there.
    one.supplier !== undefined || publisher === undefined ? one : suppliedBy(one, publisher, 'image'),
  );
  const serialNumber = serialNumberOf([
    source.digest,
    source.name,
    source.tag ?? '',
    JSON.stringify([settings, detail]),
  ]);
  const bom = new Models.Bom({ serialNumber });
  const image = describeBom(bom, source, settings);
  linkComponents(bom, image, found, { layers: source.layers.map(({ digest }) => digest), detail });
  for (const gap of inventory.gaps.slice(0, maxGaps)) bom.metadata.properties.add(gapProperty(gap));
  if (detail !== bomDetails[0]) bom.metadata.properties.add(reducedProperty(detail));
  const root = image.bomRef.value ?? '';
  return complete(normalise(bom), { root, found, inventory, detail });
}

function linkComponents(
  bom: Models.Bom,
  image: Models.Component,
  found: readonly FoundComponent[],
  { layers, detail }: { readonly layers: readonly string[]; readonly detail: BomDetail },
): void {
  const components = new Map(found.map((one) => [one.ref, toBomComponent(one, layers, detail)]));
  const link = (from: Models.Component, refs: readonly string[]): void => {
    for (const ref of refs) {
      const target = components.get(ref);
      if (target !== undefined) from.dependencies.add(target.bomRef);
    }
  };
  for (const { ref, dependsOn = [], scope } of found) {
    const component = components.get(ref);
    if (component === undefined) continue;
    bom.components.add(component);
    if (detail.developmentEdges || scope !== 'excluded') link(component, dependsOn);
  }
  link(image, findTopLevel(found));
}

/** Fills the metadata; gives the image's component, which is the root of the graph. */
function describeBom(bom: Models.Bom, source: LayerSource, settings: BomSettings): Models.Component {
  const { metadata } = bom;
  const created = new Date(source.config.created ?? epoch);
  metadata.timestamp = Number.isNaN(created.getTime()) ? new Date(epoch) : created;
  metadata.lifecycles.add(
    new Models.NamedLifecycle('image-layers', { description: 'read from the layers of a built image' }),
  );
  metadata.lifecycles.add(Enums.LifecyclePhase.PostBuild);
  const { generator } = settings;
  metadata.tools.components.add(
    new Models.Component(Enums.ComponentType.Application, generator.name, { version: generator.version }),
  );
  const image = imageComponent(source);
  metadata.component = image;
  const publisher = publisherOf(source, settings);
  if (publisher !== undefined) {
    metadata.supplier = toEntity(publisher);
    image.supplier = toEntity(publisher);
    metadata.authors.add(new Models.OrganizationalContact(contactOf(publisher)));
  }
  return image;
}

function publisherOf({ config }: LayerSource, { publisher }: BomSettings): BomPublisher | undefined {
  if (publisher !== undefined) return publisher;
  const vendor = config.labels['org.opencontainers.image.vendor'];
  return vendor ? { name: vendor } : undefined;
}

function contactOf({ name, email }: BomPublisher): { name: string; email?: string } {
  return { name, ...(email === undefined ? {} : { email }) };
}

function toEntity(publisher: BomPublisher): Models.OrganizationalEntity {
  const entity = new Models.OrganizationalEntity({ name: publisher.name });
  if (publisher.url !== undefined) entity.url.add(publisher.url);
  if (publisher.email !== undefined)
    entity.contact.add(new Models.OrganizationalContact(contactOf(publisher)));
  return entity;
}

function gapProperty({ cataloguer, path, reason }: Gap): Models.Property {
  return new Models.Property(`${propertyPrefix}gap`, `${cataloguer}: ${path}: ${reason}`);
}

function reducedProperty({
  occurrences,
  layers,
  manifestHashes,
  developmentEdges,
  namedLicences,
}: BomDetail): Models.Property {
  const kept = `occurrences<=${occurrences} layers=${layers} manifest-hashes=${manifestHashes} development-edges=${developmentEdges} named-licences=${namedLicences}`;
  return new Models.Property(`${propertyPrefix}reduced`, kept);
}

function normalise(bom: Models.Bom): BomDocument {
  const factory = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  return factory.makeForBom().normalize(bom, { sortLists: true }) as unknown as BomDocument;
}

interface Completion {
  /** `bom-ref` of the image. */
  readonly root: string;
  readonly found: readonly FoundComponent[];
  readonly inventory: Inventory;
  readonly detail: BomDetail;
}

/** Adds what the library's models do not know: manufacturer, identity and occurrences, compositions. */
function complete(document: BomDocument, { root, found, inventory, detail }: Completion): BomDocument {
  const byRef = new Map(found.map((one) => [bomRefOf(one), one]));
  for (const component of document.components ?? []) {
    const one = byRef.get(String(component['bom-ref']));
    if (one !== undefined) component['evidence'] = evidenceOf(one, detail);
  }
  const supplier = document.metadata?.['supplier'];
  if (supplier !== undefined && document.metadata !== undefined) document.metadata['manufacturer'] = supplier;
  // "Components that do not have their own dependencies must be declared as empty elements within the graph" (schema).
  document.dependencies = (document.dependencies ?? []).map(({ ref, dependsOn = [] }) => ({
    ref,
    dependsOn,
  }));
  document.compositions = compositionsOf(root, found, inventory.gaps.length > 0);
  return document;
}
