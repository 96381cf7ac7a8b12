import * as Enums from '@cyclonedx/cyclonedx-library/Enums';
import * as Models from '@cyclonedx/cyclonedx-library/Models';
import { splitDigest } from '../model/digest.ts';
import type { LayerSource } from './layer-source.ts';
import { decodePurl, formatPurl } from './purl.ts';

/** Prefix of the properties that this project defines (docs/sbom.md lists them). */
export const propertyPrefix = 'chainwright:';

const maxLabels = 100;
const maxLabelLength = 1000;

/** The purl of an image (purl-spec, `oci`): `pkg:oci/app@sha256:...?arch=amd64&repository_url=host/team/app`. */
export function imagePurl(
  source: Pick<LayerSource, 'name' | 'tag' | 'digest'>,
  architecture?: string,
): string {
  const base = source.name.slice(source.name.lastIndexOf('/') + 1);
  return formatPurl({
    type: 'oci',
    name: base,
    version: source.digest,
    qualifiers: {
      arch: architecture,
      repository_url: source.name.includes('/') ? source.name : undefined,
      tag: source.tag,
    },
  });
}

/** The image itself as `metadata.component`. */
export function imageComponent(source: LayerSource): Models.Component {
  const { config, digest, name } = source;
  const purl = imagePurl(source, config.platform.architecture);
  const label = (key: string): string | undefined => config.labels[`org.opencontainers.image.${key}`];
  const component = new Models.Component(Enums.ComponentType.Container, name, {
    bomRef: decodePurl(purl),
    version: digest,
    purl,
    hashes: new Models.HashDictionary([digestHash(digest)]),
    properties: new Models.PropertyRepository(imageProperties(source)),
  });
  const description = label('description') ?? label('title');
  if (description !== undefined) component.description = description.slice(0, maxLabelLength);
  const vcs = label('source');
  if (vcs !== undefined && URL.canParse(vcs)) {
    const revision = label('revision');
    component.externalReferences.add(
      new Models.ExternalReference(vcs, Enums.ExternalReferenceType.VCS, {
        ...(revision === undefined ? {} : { comment: `revision ${revision.slice(0, maxLabelLength)}` }),
      }),
    );
  }
  return component;
}

function digestHash(digest: LayerSource['digest']): [Enums.HashAlgorithm, string] {
  const { algorithm, hex } = splitDigest(digest);
  return [algorithm === 'sha256' ? Enums.HashAlgorithm['SHA-256'] : Enums.HashAlgorithm['SHA-512'], hex];
}

function imageProperties({ config, layers }: LayerSource): Models.Property[] {
  const { os, architecture, variant } = config.platform;
  const properties: [string, string][] = [
    ['image:platform', [os, architecture, variant].filter((part) => part !== undefined).join('/')],
    ['image:config-digest', config.digest],
    ...layers.map(({ digest }, index): [string, string] => [`image:layer:${index}:digest`, digest]),
    ...layers.map(({ diffId }, index): [string, string] => [`image:layer:${index}:diff-id`, diffId]),
    ...Object.entries(config.labels)
      .slice(0, maxLabels)
      .map(([key, value]): [string, string] => [`image:label:${key}`, value.slice(0, maxLabelLength)]),
  ];
  return properties.map(([key, value]) => new Models.Property(propertyPrefix + key, value));
}
