import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';

/** What is wrong with a document, as sentences; empty: it is valid. */
export type BomValidator = (document: unknown) => readonly string[];

/** CycloneDX versions whose JSON schema can be checked. */
export const checkedSpecVersions = ['1.4', '1.5', '1.6', '1.7'] as const;
/** One of {@link checkedSpecVersions}. */
export type CheckedSpecVersion = (typeof checkedSpecVersions)[number];

const companions = ['spdx', 'jsf-0.82', 'cryptography-defs'];
const maxProblems = 20;

/**
 * A validator against CycloneDX's own JSON schema, which takes about half a second to make and a fraction of one for
 * 20,000 components. Items of lists are not compared pairwise (the schema's `uniqueItems`, quadratic there, 209 s for
 * as many); that each `bom-ref` occurs once is checked instead.
 */
export async function createBomValidator(version: CheckedSpecVersion = '1.6'): Promise<BomValidator> {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve('@cyclonedx/cyclonedx-library/package.json')), 'res', 'schema');
  const load = async (name: string): Promise<object> =>
    withoutUniqueItems(
      JSON.parse(await readFile(join(folder, `${name}.SNAPSHOT.schema.json`), 'utf8')),
    ) as object;
  const ajv = new Ajv({ strict: false, addUsedSchema: false, validateFormats: true });
  addFormats.default(ajv);
  ajv.addFormat('idn-email', /^[^\s@]+@[^\s@]+$/);
  ajv.addFormat('iri-reference', true);
  for (const name of companions) {
    ajv.addSchema(await load(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  }
  const validate = ajv.compile(await load(`bom-${version}`));
  return (document) => {
    if (!validate(document)) {
      return (validate.errors ?? [])
        .slice(0, maxProblems)
        .map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`);
    }
    return findRepeatedRefs(document);
  };
}

function withoutUniqueItems(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutUniqueItems);
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept = Object.entries(schema).filter(([key]) => key !== 'uniqueItems');
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutUniqueItems(value)]));
}

function findRepeatedRefs(document: unknown): readonly string[] {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  const pending: unknown[] = [document];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    if ('bom-ref' in next && typeof next['bom-ref'] === 'string') {
      if (seen.has(next['bom-ref'])) repeated.add(next['bom-ref']);
      seen.add(next['bom-ref']);
    }
    for (const value of Object.values(next)) pending.push(value);
  }
  return [...repeated].slice(0, maxProblems).map((ref) => `bom-ref "${ref}" occurs more than once`);
}
