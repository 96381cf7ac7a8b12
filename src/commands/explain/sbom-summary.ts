import { objectIn } from '../../model/json-object.ts';
import type { JsonObject } from '../../model/json-object.ts';
import { predicateTypes } from '../../statements/statement.ts';
import type { Statement } from '../../statements/statement.ts';

/** A name with how often it occurs. */
export type Count = readonly [name: string, count: number];

/** What an SBOM holds, in figures. */
export interface SbomSummary {
  readonly format: string;
  readonly tool: string;
  readonly madeAt: string;
  readonly components: number;
  /** By kind of package: `deb`, `npm` ... */
  readonly types: readonly Count[];
  /** The most frequent. */
  readonly licences: readonly Count[];
  readonly withoutLicence: number;
}

const shown = 10;
const purlType = /^pkg:([a-zA-Z0-9.+-]{1,40})\//;

/** Counts a CycloneDX or SPDX document; undefined for another predicate. */
export function summarizeSbom({ predicateType, predicate }: Statement): SbomSummary | undefined {
  switch (predicateType) {
    case predicateTypes.cycloneDx:
      return ofCycloneDx(predicate);
    case predicateTypes.spdx:
      return ofSpdx(predicate);
    default:
      return undefined;
  }
}

interface Counted {
  readonly type: string;
  readonly licences: readonly string[];
}

function ofCycloneDx(bom: JsonObject): SbomSummary {
  const metadata = objectIn(bom['metadata']);
  const components = listOf(bom['components']).map((component): Counted => {
    return { type: typeOf(component['purl'], component['type']), licences: cycloneDxLicences(component) };
  });
  return {
    format: `CycloneDX ${textOf(bom['specVersion'])}`,
    tool: toolOf(metadata['tools']),
    madeAt: textOf(metadata['timestamp']),
    ...countAll(components),
  };
}

function ofSpdx(document: JsonObject): SbomSummary {
  const creation = objectIn(document['creationInfo']);
  const packages = listOf(document['packages']).map((one): Counted => {
    const purl = listOf(one['externalRefs']).find(({ referenceType }) => referenceType === 'purl');
    const stated = [one['licenseConcluded'], one['licenseDeclared']].map(textOf);
    const licence = stated.find((text) => !['', 'NOASSERTION', 'NONE'].includes(text));
    return {
      type: typeOf(purl?.['referenceLocator'], 'package'),
      licences: licence === undefined ? [] : [licence],
    };
  });
  const { creators } = creation;
  return {
    format: textOf(document['spdxVersion']),
    tool: Array.isArray(creators) ? creators.map(textOf).slice(0, 5).join(', ') : '',
    madeAt: textOf(creation['created']),
    ...countAll(packages),
  };
}

function countAll(
  items: readonly Counted[],
): Pick<SbomSummary, 'components' | 'types' | 'licences' | 'withoutLicence'> {
  return {
    components: items.length,
    types: frequent(items.map(({ type }) => type)),
    licences: frequent(items.flatMap(({ licences }) => licences)),
    withoutLicence: items.filter(({ licences }) => licences.length === 0).length,
  };
}

function frequent(names: readonly string[]): readonly Count[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, many], [b, few]) => few - many || (a < b ? -1 : 1)).slice(0, shown);
}

function cycloneDxLicences(component: JsonObject): readonly string[] {
  const names = listOf(component['licenses']).map(({ license, expression }) => {
    const { id, name } = objectIn(license);
    return textOf(expression) || textOf(id) || textOf(name);
  });
  return names.filter((name) => name !== '');
}

function toolOf(tools: unknown): string {
  // Since version 1.5 there are lists of components and services.
  const list = Array.isArray(tools) ? listOf(tools) : listOf(objectIn(tools)['components']);
  const names = list.map(({ name, version }) => `${textOf(name)} ${textOf(version)}`.trim());
  return names.slice(0, 5).join(', ');
}

function typeOf(purl: unknown, type: unknown): string {
  return purlType.exec(textOf(purl))?.[1] ?? (textOf(type) || 'unknown');
}

function listOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.map(objectIn) : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 300) : '';
}
