import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';

import { policyLanguages } from '../../src/policy/evaluation/wasm-modules.ts';
import type { PolicyLanguage } from '../../src/policy/evaluation/wasm-modules.ts';

/** The differential corpus: policies, documents, and what the reference says of each pair. */
export const corpusFolder: URL = new URL('../../test/fixtures/policy/', import.meta.url);

const fileSchema = z.object({
  documents: z.record(z.string(), z.unknown()),
  policies: z.array(z.object({ name: z.string(), policy: z.string() })),
  own: z.array(z.object({ name: z.string(), policy: z.string(), document: z.unknown() })),
});

/** A policy and a document to judge by it. */
export interface Pair {
  /** `LANGUAGE/policy` or `LANGUAGE/policy/document`. */
  readonly name: string;
  readonly type: PolicyLanguage;
  readonly policy: string;
  /** JSON. */
  readonly document: string;
}

const verdictSchema = z.object({
  passed: z.boolean(),
  error: z.string().optional(),
  warning: z.string().optional(),
  /** Where strict mode refuses what the reference lets pass: `reason path` of each message. */
  strict: z.array(z.string()).optional(),
});
export type ExpectedVerdict = z.infer<typeof verdictSchema>;

const verdictsSchema = z.object({
  versions: z.record(z.string(), z.string()),
  verdicts: z.record(z.string(), verdictSchema),
});

async function pairsOf(type: PolicyLanguage): Promise<Pair[]> {
  const file = fileSchema.parse(parse(await readFile(new URL(`${type}.yaml`, corpusFolder), 'utf8')));
  const shared = file.policies.flatMap(({ name, policy }) =>
    Object.entries(file.documents).map(([document, content]) => ({
      name: `${type}/${name}/${document}`,
      type,
      policy,
      document: JSON.stringify(content),
    })),
  );
  const own = file.own.map(({ name, policy, document }) => ({
    name: `${type}/${name}`,
    type,
    policy,
    document: JSON.stringify(document),
  }));
  return [...shared, ...own];
}

/** All pairs of the corpus; names are unique. */
export async function readPairs(): Promise<Pair[]> {
  const pairs = (await Promise.all(policyLanguages.map(pairsOf))).flat();
  const names = new Set(pairs.map(({ name }) => name));
  if (names.size !== pairs.length) throw new Error('two pairs of the corpus have the same name');
  return pairs;
}

/** The committed verdicts, and the evaluator versions that gave them. */
export async function readVerdicts(): Promise<z.infer<typeof verdictsSchema>> {
  return verdictsSchema.parse(JSON.parse(await readFile(new URL('verdicts.json', corpusFolder), 'utf8')));
}
