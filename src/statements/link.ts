import { z } from 'zod';
import { layoutFault } from './layout-fault.ts';
import { statementTypes } from './statement.ts';
import type { Statement } from './statement.ts';
import type { JsonObject } from './strict-json.ts';

/** Hashes of one file by algorithm, lower-case hex. */
export type ArtifactDigests = Readonly<Record<string, string>>;

/** Files by name. */
export type Artifacts = ReadonlyMap<string, ArtifactDigests>;

/** What a functionary says of a step: what went in, what came out. */
export interface Link {
  readonly materials: Artifacts;
  readonly products: Artifacts;
  /** Empty where it is not told. */
  readonly command: readonly string[];
}

const maxArtifacts = 200_000;
const digests = z
  .record(z.string().min(1).max(64), z.string().regex(/^[\da-f]{8,256}$/, 'is no digest in lower-case hex'))
  .refine((all) => Object.keys(all).length > 0, 'is empty');
const artifacts = z.record(z.string().max(8192), digests).default({});
const command = z.array(z.string()).nullish();
const linkShape = z.object({
  _type: z.literal('link'),
  name: z.string(),
  materials: artifacts,
  products: artifacts,
  command,
});
const descriptors = z
  .array(z.object({ name: z.string().nullish(), uri: z.string().nullish(), digest: digests.nullish() }))
  .nullish();
const predicates = {
  link: z.object({ name: z.string(), materials: z.union([descriptors, artifacts]), command }),
  slsa02: z.object({ materials: descriptors }),
  slsa1: z.object({ buildDefinition: z.object({ resolvedDependencies: descriptors }) }),
} as const;

const linkTypes = new Set([
  'https://in-toto.io/attestation/link/v0.3',
  'https://in-toto.io/Link/v0.2',
  'https://in-toto.io/Link/v1',
]);

/** Reads link metadata of a step. Throws ERR_LAYOUT_FORMAT, also for the link of another step. */
export function readLink(signed: JsonObject, step: string, object: string): Link {
  const parsed = linkShape.safeParse(signed);
  if (!parsed.success) throw malformed(parsed.error, object);
  const { name, materials, products, command: words } = parsed.data;
  if (name !== step) throw layoutFault('ERR_LAYOUT_FORMAT', object, `it is of step ${name.slice(0, 200)}`);
  return {
    materials: toArtifacts(Object.entries(materials), object),
    products: toArtifacts(Object.entries(products), object),
    command: words ?? [],
  };
}

/**
 * A statement as the link of a step: its subjects are the products; materials are those that SLSA provenance v0.2 or v1 or an
 * in-toto link predicate names. Throws ERR_LAYOUT_FORMAT, also for other predicates and for the link of another step.
 */
export function linkOfStatement(statement: Statement, step: string, object: string): Link {
  const products = statement.subject.map(({ name = '', digest }): [string, ArtifactDigests] => [
    name,
    digest,
  ]);
  const { materials, words } = materialsOf(statement, step, object);
  return {
    materials: toArtifacts(materials, object),
    products: toArtifacts(products, object),
    command: words,
  };
}

/** True for metadata that is a statement. */
export function isStatement(signed: JsonObject): boolean {
  const types: readonly unknown[] = Object.values(statementTypes);
  return types.includes(signed['_type']);
}

function materialsOf(
  { predicateType, predicate }: Statement,
  step: string,
  object: string,
): { readonly materials: readonly [string, ArtifactDigests][]; readonly words: readonly string[] } {
  if (linkTypes.has(predicateType)) {
    const { name, materials, command: words } = read(predicates.link, predicate, object);
    if (name !== step) throw layoutFault('ERR_LAYOUT_FORMAT', object, `it is of step ${name.slice(0, 200)}`);
    const listed = Array.isArray(materials) ? named(materials) : Object.entries(materials ?? {});
    return { materials: listed, words: words ?? [] };
  }
  if (predicateType === 'https://slsa.dev/provenance/v0.2') {
    return { materials: named(read(predicates.slsa02, predicate, object).materials ?? []), words: [] };
  }
  if (predicateType === 'https://slsa.dev/provenance/v1') {
    const { buildDefinition } = read(predicates.slsa1, predicate, object);
    return { materials: named(buildDefinition.resolvedDependencies ?? []), words: [] };
  }
  throw layoutFault('ERR_LAYOUT_FORMAT', object, `${predicateType.slice(0, 200)} tells of no step`);
}

/** Dependencies without a name or a digest are no files that a rule could be about. */
function named(list: NonNullable<z.infer<typeof descriptors>>): readonly [string, ArtifactDigests][] {
  return list.flatMap(({ name, uri, digest }): [string, ArtifactDigests][] => {
    const title = name ?? uri;
    return title === undefined || title === null || digest === undefined || digest === null
      ? []
      : [[title, digest]];
  });
}

function read<Shape extends z.ZodType>(shape: Shape, predicate: JsonObject, object: string): z.output<Shape> {
  const parsed = shape.safeParse(predicate);
  if (parsed.success) return parsed.data;
  throw malformed(parsed.error, object);
}

/** Names in one spelling alone: by a second one a file could slip past a rule. */
function toArtifacts(entries: readonly [string, ArtifactDigests][], object: string): Artifacts {
  if (entries.length > maxArtifacts) {
    throw layoutFault('ERR_LAYOUT_FORMAT', object, `it has more than ${maxArtifacts} files`);
  }
  const found = new Map<string, ArtifactDigests>();
  for (const [name, digest] of entries) {
    if (!isPlainName(name)) {
      throw layoutFault('ERR_LAYOUT_FORMAT', object, `"${name.slice(0, 200)}" is no plain name of a file`);
    }
    const before = found.get(name);
    if (before !== undefined && !isSameFile(before, digest)) {
      throw layoutFault('ERR_LAYOUT_FORMAT', object, `"${name.slice(0, 200)}" stands there twice`);
    }
    found.set(name, digest);
  }
  return found;
}

function isPlainName(name: string): boolean {
  if (name === '' || /\p{Cc}/u.test(name)) return false;
  if (/^[a-z][a-z\d+.-]*:/i.test(name)) return true;
  const parts = name.replace(/^\//, '').split('/');
  const firstNamed = parts.findIndex((part) => part !== '..');
  return (
    !name.includes('\\') &&
    parts.every((part, at) => part !== '' && part !== '.' && (part !== '..' || at < firstNamed))
  );
}

/** Of the hashes that both have, there is one, and all are the same. */
export function isSameFile(a: ArtifactDigests, b: ArtifactDigests): boolean {
  const common = Object.keys(a).filter((algorithm) => Object.hasOwn(b, algorithm));
  return common.length > 0 && common.every((algorithm) => a[algorithm] === b[algorithm]);
}

function malformed(error: z.ZodError, object: string): Error {
  const [issue] = error.issues;
  const why = `${issue?.path.join('.').slice(0, 200) ?? ''} ${issue?.message ?? ''}`.trim();
  return layoutFault('ERR_LAYOUT_FORMAT', object, `it cannot be read: ${why}`);
}
