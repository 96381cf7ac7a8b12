import type { EmbeddedBom, EmbeddedComponent } from './cyclonedx-document.ts';
import { asArray, asObject, asText, defined, parseJsonObject } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';

/** Relationships in which the first element needs or holds the second (SPDX 2.3, clause 11). */
const forward = new Set(['DEPENDS_ON', 'CONTAINS']);
const backward = new Set(['DEPENDENCY_OF', 'RUNTIME_DEPENDENCY_OF', 'CONTAINED_BY']);

/** Reads an SPDX 2.x JSON document's packages; undefined if the document is something else. Throws on malformed JSON. */
export function parseSpdx(content: Uint8Array): EmbeddedBom | undefined {
  const document = parseJsonObject(content);
  if (asText(document['spdxVersion'])?.startsWith('SPDX-2') !== true) return undefined;
  const components = asArray(document['packages']).flatMap((value) => componentOf(asObject(value)));
  const known = new Set(components.map(({ ref }) => ref));
  const edges = new Map<string, string[]>();
  for (const value of asArray(document['relationships'])) {
    const edge = edgeOf(asObject(value));
    if (edge === undefined || !known.has(edge[0]) || !known.has(edge[1])) continue;
    edges.set(edge[0], [...(edges.get(edge[0]) ?? []), edge[1]]);
  }
  return { components, edges: [...edges] };
}

function edgeOf(relationship: JsonObject): [string, string] | undefined {
  const from = asText(relationship['spdxElementId']);
  const to = asText(relationship['relatedSpdxElement']);
  const type = asText(relationship['relationshipType']) ?? '';
  if (from === undefined || to === undefined) return undefined;
  if (forward.has(type)) return [from, to];
  return backward.has(type) ? [to, from] : undefined;
}

function componentOf(fields: JsonObject): EmbeddedComponent[] {
  const ref = asText(fields['SPDXID']);
  const name = asText(fields['name']);
  if (ref === undefined || name === undefined) return [];
  const purls = asArray(fields['externalRefs'])
    .map(asObject)
    .filter(({ referenceType }) => referenceType === 'purl')
    .flatMap(({ referenceLocator }) => asText(referenceLocator) ?? []);
  const licence = [fields['licenseDeclared'], fields['licenseConcluded']]
    .map(asText)
    .find((text) => text !== undefined && text !== 'NOASSERTION' && text !== 'NONE');
  return [
    {
      ref,
      name,
      ...defined({
        purl: purls[0],
        version: asText(fields['versionInfo']),
        licences: licence === undefined ? undefined : [licence],
      }),
    },
  ];
}
