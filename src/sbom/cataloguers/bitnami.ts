import type { Cataloguer, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import type { EmbeddedBom } from './formats/cyclonedx-document.ts';
import { embeddedComponents } from './formats/embedded-components.ts';
import { asObject, asText, defined, parseJsonObject } from './formats/json-fields.ts';
import { parseSpdx } from './formats/spdx-document.ts';

interface BitnamiEntry {
  readonly name: string;
  readonly version: string;
  readonly arch?: string;
  readonly distro?: string;
}

/** What a file says about what Bitnami built. */
export type BitnamiFact =
  | { readonly kind: 'bom'; readonly bom: EmbeddedBom }
  | { readonly kind: 'list'; readonly entries: readonly BitnamiEntry[] };

const documentBytes = 16 * 1024 * 1024;
const supplier = { name: 'Bitnami', url: 'https://bitnami.com/' };

/**
 * What Bitnami compiles into its images: an SPDX document beside each program (`opt/bitnami/<name>/.spdx-<name>.spdx`),
 * or in older images one list of all of them.
 */
export const bitnami: Cataloguer<BitnamiFact> = {
  name: 'bitnami',
  version: 1,
  rules: [
    {
      select: {
        extensions: ['.spdx'],
        accept: ({ path }) => /^opt\/bitnami\/(?:[^/]+\/)*\.spdx-[^/]+$/.test(path),
      },
      maxBytes: documentBytes,
      parse: parseDocument,
    },
    {
      select: { names: ['.bitnami_components.json'], accept: ({ path }) => path.startsWith('opt/bitnami/') },
      maxBytes: documentBytes,
      parse: (content) => ({ kind: 'list', entries: parseBitnamiList(content) }),
    },
  ],
  assemble(view) {
    return { components: view.files.flatMap(componentsOf) };
  },
};

/** Some documents are in SPDX's tag-value form, or name what other cataloguers find: only Bitnami's own count. */
function parseDocument(content: Uint8Array): BitnamiFact | undefined {
  if (content[0] !== 0x7b) return undefined;
  const bom = parseSpdx(content);
  if (bom === undefined) return undefined;
  const components = bom.components.filter(({ purl }) => purl?.startsWith('pkg:bitnami/') === true);
  const refs = new Set(components.map(({ ref }) => ref));
  const edges = bom.edges.flatMap(([from, to]) =>
    refs.has(from) ? [[from, to.filter((ref) => refs.has(ref))] as const] : [],
  );
  return { kind: 'bom', bom: { components, edges } };
}

/** Reads `.bitnami_components.json`: an object of components by name. */
function parseBitnamiList(content: Uint8Array): BitnamiEntry[] {
  return Object.entries(parseJsonObject(content)).flatMap(([name, value]) => {
    const fields = asObject(value);
    const version = asText(fields['version']);
    if (version === undefined) return [];
    return [
      { name, version, ...defined({ arch: asText(fields['arch']), distro: asText(fields['distro']) }) },
    ];
  });
}

function componentsOf({ path, layer, fact }: FoundFile<BitnamiFact>): FoundComponent[] {
  const location = { path, layer };
  if (fact.kind === 'bom') {
    return embeddedComponents(fact.bom, { location, origin: 'Bitnami' }).map((component) => ({
      ...component,
      type: 'application',
      supplier,
      confidence: 1,
    }));
  }
  return fact.entries.map(({ name, version, arch, distro }) => ({
    ...identify({ type: 'bitnami', name, version, qualifiers: { arch, distro } }),
    type: 'application',
    name,
    version,
    supplier,
    locations: [location],
    technique: 'manifest-analysis',
    confidence: 1,
  }));
}
