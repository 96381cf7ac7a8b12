import { createRequire } from 'node:module';
import type * as FastXml from 'fast-xml-parser';
import { asArray, asObject, asText, defined, textOf } from './formats/json-fields.ts';
import type { JsonObject } from './formats/json-fields.ts';

/** One Maven artifact, from the `pom.properties` and `pom.xml` that its build put into the archive. */
export interface MavenPom {
  readonly group?: string;
  readonly artifact: string;
  readonly version?: string;
  readonly licences?: readonly string[];
  /** Organization or first developer. */
  readonly supplier?: string;
  /** `group:artifact` of what it needs at run time. */
  readonly needs?: readonly string[];
  /** SHA-256 of the file. */
  readonly sha256?: string;
}

/** Reads `pom.properties` (java.util.Properties, of which Maven uses `key=value` lines only). */
export function parsePomProperties(content: Uint8Array): MavenPom | undefined {
  const fields = new Map<string, string>();
  for (const line of textOf(content).split(/\r?\n/)) {
    const equals = line.indexOf('=');
    if (equals > 0 && !line.startsWith('#'))
      fields.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim());
  }
  const artifact = resolved(fields.get('artifactId'));
  if (artifact === undefined) return undefined;
  return {
    artifact,
    ...defined({ group: resolved(fields.get('groupId')), version: resolved(fields.get('version')) }),
  };
}

/**
 * Reads `pom.xml` (POM reference): what a parent would add is unknown here. Entities stay unexpanded. Throws on
 * malformed XML.
 */
export function parsePomXml(content: Uint8Array): MavenPom | undefined {
  // Not imported: it takes 5 MB, and most images hold no pom.
  const { XMLParser } = createRequire(import.meta.url)('fast-xml-parser') as typeof FastXml;
  const parser = new XMLParser({ processEntities: false, parseTagValue: false, ignoreAttributes: true });
  const project = asObject(asObject(parser.parse(textOf(content)))['project']);
  const parent = asObject(project['parent']);
  const artifact = resolved(asText(project['artifactId']));
  if (artifact === undefined) return undefined;
  const group = resolved(asText(project['groupId']) ?? asText(parent['groupId']));
  const version = resolved(asText(project['version']) ?? asText(parent['version']));
  const licences = listOf(asObject(project['licenses'])['license']).flatMap(
    (licence) => asText(licence['name']) ?? asText(licence['url']) ?? [],
  );
  const needs = listOf(asObject(project['dependencies'])['dependency']).flatMap((one) => needOf(one, group));
  return {
    artifact,
    ...defined({
      group,
      version,
      licences: licences.length > 0 ? licences : undefined,
      supplier: supplierOf(project),
      needs: needs.length > 0 ? needs : undefined,
    }),
  };
}

function supplierOf(project: JsonObject): string | undefined {
  const [developer = {}] = listOf(asObject(project['developers'])['developer']);
  return asText(asObject(project['organization'])['name']) ?? asText(developer['name']);
}

/** Test and provided dependencies are not there at run time, optional ones need not be. */
function needOf(dependency: JsonObject, ownGroup: string | undefined): string[] {
  const scope = asText(dependency['scope']) ?? 'compile';
  if ((scope !== 'compile' && scope !== 'runtime') || asText(dependency['optional']) === 'true') return [];
  const written = asText(dependency['groupId']);
  const isOwn = written === '${project.groupId}' || written === '${pom.groupId}';
  const group = isOwn ? ownGroup : resolved(written);
  const artifact = resolved(asText(dependency['artifactId']));
  return group === undefined || artifact === undefined ? [] : [`${group}:${artifact}`];
}

/** Elements may occur once or often. */
function listOf(value: unknown): JsonObject[] {
  return (Array.isArray(value) ? asArray(value) : [value]).map(asObject);
}

/** A value that still holds a property of the build (`${revision}`) says nothing. */
function resolved(value: string | undefined): string | undefined {
  const text = asText(value);
  return text === undefined || text.includes('${') || text.length > 300 ? undefined : text;
}
