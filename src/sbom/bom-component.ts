import * as Enums from '@cyclonedx/cyclonedx-library/Enums';
import * as Models from '@cyclonedx/cyclonedx-library/Models';
import type { BomDetail } from './bom-detail.ts';
import type { ComponentHash, FoundComponent } from './cataloguer.ts';
import { isMailAddress } from './contact.ts';
import { propertyPrefix } from './image-component.ts';
import { toLicences } from './licence.ts';
import type { Licence } from './licence.ts';
import { decodePurl } from './purl.ts';

const types = {
  library: Enums.ComponentType.Library,
  application: Enums.ComponentType.Application,
  framework: Enums.ComponentType.Framework,
  'operating-system': Enums.ComponentType.OperatingSystem,
  platform: Enums.ComponentType.Platform,
} as const;
const scopes = {
  required: Enums.ComponentScope.Required,
  optional: Enums.ComponentScope.Optional,
  excluded: Enums.ComponentScope.Excluded,
} as const;
const references = {
  website: Enums.ExternalReferenceType.Website,
  vcs: Enums.ExternalReferenceType.VCS,
  distribution: Enums.ExternalReferenceType.Distribution,
  'issue-tracker': Enums.ExternalReferenceType.IssueTracker,
  documentation: Enums.ExternalReferenceType.Documentation,
} as const;

/** The `bom-ref` of a found component. */
export function bomRefOf({ ref }: Pick<FoundComponent, 'ref'>): string {
  return ref.startsWith('pkg:') ? decodePurl(ref) : ref;
}

/** A found component in the library's model; `layers` are the digests of the image's layers, lowest first. */
export function toBomComponent(
  found: FoundComponent,
  layers: readonly string[],
  detail: BomDetail,
): Models.Component {
  const component = new Models.Component(types[found.type ?? 'library'], found.name, {
    bomRef: bomRefOf(found),
  });
  describe(component, found);
  if (found.scope !== undefined) component.scope = scopes[found.scope];
  if (found.supplier !== undefined) component.supplier = toEntity(found.supplier);
  for (const licence of toLicences(found.licences ?? [])) addLicence(component, licence, detail);
  const { hashes, of } = hashesOf(found, detail);
  for (const { algorithm, hex } of hashes) component.hashes.set(toAlgorithm(algorithm), hex);
  const layerDigest = detail.layers ? layers[found.locations[0].layer] : undefined;
  for (const [name, value] of propertiesOf(found, layerDigest, of)) {
    component.properties.add(new Models.Property(propertyPrefix + name, value));
  }
  return component;
}

/** Those of its own bytes; for want of these the one of what names it, and then what that is. */
function hashesOf(
  { hashes = [], manifestHash }: FoundComponent,
  { manifestHashes }: BomDetail,
): { readonly hashes: readonly ComponentHash[]; readonly of?: string } {
  if (hashes.length > 0 || manifestHash === undefined || !manifestHashes) return { hashes };
  return { hashes: [manifestHash], of: manifestHash.of };
}

function describe(component: Models.Component, found: FoundComponent): void {
  for (const { type, url } of found.externalReferences ?? []) {
    component.externalReferences.add(new Models.ExternalReference(url, references[type]));
  }
  if (found.version !== undefined) component.version = found.version;
  if (found.group !== undefined) component.group = found.group;
  if (found.description !== undefined) component.description = found.description;
  if (found.author !== undefined) component.author = found.author;
  if (found.purl !== undefined) component.purl = found.purl;
  if (found.cpe !== undefined) component.cpe = found.cpe;
  // Scanners take a purl or CPE of the distribution for a package; a tag gives it an identifier all the same.
  if (found.type === 'operating-system') component.swid = new Models.SWID(found.ref, found.name);
}

function propertiesOf(
  found: FoundComponent,
  layerDigest: string | undefined,
  hashOf: string | undefined,
): readonly (readonly [string, string])[] {
  return [
    ...Object.entries(found.properties ?? {}),
    ...(hashOf === undefined ? [] : [['hash-of', hashOf] as const]),
    ...(layerDigest === undefined ? [] : [['layer:digest', layerDigest] as const]),
    ...(found.incomplete === undefined ? [] : [['incomplete', found.incomplete] as const]),
  ];
}

function toEntity({
  name,
  email,
  url,
}: NonNullable<FoundComponent['supplier']>): Models.OrganizationalEntity {
  const entity = new Models.OrganizationalEntity({ name });
  if (url !== undefined) entity.url.add(url);
  if (email !== undefined && isMailAddress(email))
    entity.contact.add(new Models.OrganizationalContact({ name, email }));
  return entity;
}

function addLicence(component: Models.Component, licence: Licence, { namedLicences }: BomDetail): void {
  const isNamed = licence.kind === 'name' || licence.kind === 'reference';
  if (isNamed && !namedLicences) return;
  component.licenses.add(toModel(licence));
  if (licence.kind === 'reference' && licence.declared !== undefined)
    component.properties.add(new Models.Property(`${propertyPrefix}licence`, licence.declared));
}

function toModel({ kind, text }: Licence): Models.License {
  const acknowledgement = Enums.LicenseAcknowledgement.Declared;
  switch (kind) {
    case 'id':
      return new Models.SpdxLicense(text, { acknowledgement });
    case 'name':
      return new Models.NamedLicense(text, { acknowledgement });
    case 'reference':
    case 'expression': {
      const expression = new Models.LicenseExpression(text);
      expression.acknowledgement = acknowledgement;
      return expression;
    }
  }
}

function toAlgorithm(algorithm: ComponentHash['algorithm']): Enums.HashAlgorithm {
  return Enums.HashAlgorithm[algorithm];
}
