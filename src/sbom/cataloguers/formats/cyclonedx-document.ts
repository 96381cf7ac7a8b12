import type { ComponentHash } from '../../cataloguer.ts';
import { asArray, asObject, asText, asTexts, defined, parseJsonObject } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';

/** A component that a BOM inside the image names. */
export interface EmbeddedComponent {
  /** Its `bom-ref`, or its purl, or its name: what edges in the same document use. */
  readonly ref: string;
  readonly purl?: string;
  readonly group?: string;
  readonly name: string;
  readonly version?: string;
  readonly isApplication?: boolean;
  /** Not in what was built, only needed for building it. */
  readonly isExcluded?: boolean;
  readonly supplier?: string;
  readonly licences?: readonly string[];
  readonly hashes?: readonly ComponentHash[];
}

/** The part of a BOM inside the image that is worth keeping. */
export interface EmbeddedBom {
  /** What the document is about. */
  readonly root?: EmbeddedComponent;
  readonly components: readonly EmbeddedComponent[];
  /** Pairs of `ref` and the `ref`s that it depends on. */
  readonly edges: readonly (readonly [string, readonly string[]])[];
}

const maxComponents = 20_000;
const hashAlgorithms = new Set<string>(['MD5', 'SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']);

/** Reads a CycloneDX JSON BOM (any 1.x); undefined if the document is something else. Throws on malformed JSON. */
export function parseCycloneDx(content: Uint8Array): EmbeddedBom | undefined {
  const bom = parseJsonObject(content);
  if (bom['bomFormat'] !== 'CycloneDX') return undefined;
  const components: EmbeddedComponent[] = [];
  collect(components, asArray(bom['components']), 0);
  const root = componentOf(asObject(asObject(bom['metadata'])['component']));
  const edges = asArray(bom['dependencies']).flatMap((value) => {
    const { ref, dependsOn } = asObject(value);
    const targets = asTexts(dependsOn);
    return typeof ref === 'string' && targets.length > 0 ? [[ref, targets] as const] : [];
  });
  return { ...defined({ root }), components, edges };
}

function collect(into: EmbeddedComponent[], values: readonly unknown[], depth: number): void {
  if (depth > 20) throw new Error('BOM nested too deeply');
  for (const value of values) {
    const fields = asObject(value);
    const component = fields['type'] === 'file' ? undefined : componentOf(fields);
    if (component !== undefined) into.push(component);
    if (into.length > maxComponents) throw new Error(`BOM with more than ${maxComponents} components`);
    collect(into, asArray(fields['components']), depth + 1);
  }
}

function componentOf(fields: JsonObject): EmbeddedComponent | undefined {
  const name = asText(fields['name']);
  if (name === undefined) return undefined;
  const version = asText(fields['version']);
  const purl = asText(fields['purl']);
  const licences = asArray(fields['licenses']).flatMap(licenceOf);
  const hashes = asArray(fields['hashes']).flatMap(hashOf);
  return {
    ref: asText(fields['bom-ref']) ?? purl ?? `${name}@${version ?? ''}`,
    name,
    ...defined({
      purl,
      version,
      group: asText(fields['group']),
      supplier:
        asText(asObject(fields['supplier'])['name']) ??
        asText(fields['publisher']) ??
        asText(fields['author']),
      isApplication: fields['type'] === 'application' ? true : undefined,
      isExcluded: fields['scope'] === 'excluded' ? true : undefined,
      licences: licences.length > 0 ? licences : undefined,
      hashes: hashes.length > 0 ? hashes : undefined,
    }),
  };
}

function licenceOf(value: unknown): string[] {
  const { expression, license } = asObject(value);
  const { id, name } = asObject(license);
  return asTexts([expression, id, name]).slice(0, 1);
}

function hashOf(value: unknown): ComponentHash[] {
  const { alg, content } = asObject(value);
  if (typeof alg !== 'string' || typeof content !== 'string' || !/^[0-9a-f]{32,128}$/i.test(content))
    return [];
  return hashAlgorithms.has(alg)
    ? [{ algorithm: alg as ComponentHash['algorithm'], hex: content.toLowerCase() }]
    : [];
}
