import canonicalize from 'canonicalize';
import { z } from 'zod';
import { splitDigest } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';
import { AppError } from '../model/errors.ts';
import { limits } from '../model/limits.ts';
import { isJsonObject, parseStrictJson } from './strict-json.ts';
import type { JsonObject, JsonValue } from './strict-json.ts';

/** Values of `_type`: in-toto statement v0.1 (as Chains and `cosign attest` write it) and v1. */
export const statementTypes = {
  v01: 'https://in-toto.io/Statement/v0.1',
  v1: 'https://in-toto.io/Statement/v1',
} as const;

/** Predicate types that the project writes or reads. */
export const predicateTypes = {
  slsaProvenanceV02: 'https://slsa.dev/provenance/v0.2',
  slsaProvenanceV1: 'https://slsa.dev/provenance/v1',
  cycloneDx: 'https://cyclonedx.org/bom',
  spdx: 'https://spdx.dev/Document',
  cosignSign: 'https://sigstore.dev/cosign/sign/v1',
} as const;

/** What a statement is about (in-toto attestation specification, ResourceDescriptor, as far as it is used here). */
export interface StatementSubject {
  readonly name?: string;
  readonly digest: Readonly<Record<string, string>>;
  readonly annotations?: JsonObject;
}

/** An in-toto statement (in-toto attestation specification, statement.md). */
export interface Statement {
  readonly _type: (typeof statementTypes)[keyof typeof statementTypes];
  readonly subject: readonly StatementSubject[];
  readonly predicateType: string;
  readonly predicate: JsonObject;
}

/** A statement whose predicate is JSON text already: a BOM of megabytes is not parsed to be written again. */
export interface TextStatement extends Omit<Statement, 'predicate'> {
  /** A JSON object in UTF-8. */
  readonly predicate: Uint8Array;
}

/** More subjects than this on one statement are no real build. */
const maxSubjects = 10_000;

/**
 * The statement as JSON bytes, canonical by RFC 8785 (members sorted by name at every level, no blanks), so that one
 * statement has one digest wherever and whenever it is encoded. Readers compare parsed JSON, not bytes.
 * A predicate that is text already is taken as it is. Throws ERR_STATEMENT_ENCODE for text that is no valid Unicode.
 */
export function encodeStatement(statement: Statement | TextStatement): Buffer {
  const { predicate } = statement;
  try {
    if (!(predicate instanceof Uint8Array)) return Buffer.from(canonicalize(statement) ?? '');
    const { _type, predicateType, subject } = statement;
    const head = `{"_type":${JSON.stringify(_type)},"predicate":`;
    const tail = canonicalize({ predicateType, subject })?.slice(1) ?? '';
    return Buffer.concat([Buffer.from(head), predicate, Buffer.from(`,${tail}`)]);
  } catch (error) {
    throw new AppError('ERR_STATEMENT_ENCODE', 'the statement holds text that is no valid Unicode', {
      kind: 'permanent',
      remedy: 'Look for broken characters in params, results, labels and annotations of the run.',
      cause: error,
    });
  }
}

const hexOf = { sha1: 40, sha224: 56, sha256: 64, sha384: 96, sha512: 128 } as const;
const digestSet = z
  .record(z.string(), z.string().min(1))
  .refine((digests) => Object.keys(digests).length > 0, 'is empty')
  .refine(
    (digests) =>
      Object.entries(hexOf).every(([algorithm, length]) => {
        const hex = Object.hasOwn(digests, algorithm) ? digests[algorithm] : undefined;
        return hex === undefined || (hex.length === length && /^[0-9a-f]+$/.test(hex));
      }),
    'has a digest that is no lower-case hex of its length',
  );
const jsonObject = z.custom<JsonObject>((value) => isJsonObject(value as JsonValue), 'is no object');
const statementShape = z.object({
  _type: z.enum([statementTypes.v01, statementTypes.v1]),
  subject: z
    .array(
      z.object({
        name: z.string().exactOptional(),
        digest: digestSet,
        annotations: jsonObject.exactOptional(),
      }),
    )
    .min(1)
    .max(maxSubjects),
  predicateType: z.string().min(1),
  predicate: jsonObject.nullish().transform((predicate) => predicate ?? {}),
});

/**
 * Parses the payload of an envelope as a statement, v0.1 or v1, of at most `limits.envelopeBytes`: strict JSON without
 * doubled members, at least one subject, each with a digest; unknown members are ignored, as the specification asks.
 * An absent predicate is `{}`. Throws ERR_STATEMENT.
 */
export function parseStatement(bytes: Uint8Array): Statement {
  const json = parseStrictJson(bytes, limits.envelopeBytes);
  if ('fault' in json) throw malformed(json.fault);
  const parsed = statementShape.safeParse(json.value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw malformed(`${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim());
}

/** The first subject with this digest; its name may be anything or absent. */
export function findSubject(statement: Statement, digest: Digest): StatementSubject | undefined {
  const { algorithm, hex } = splitDigest(digest);
  return statement.subject.find(
    (subject) => Object.hasOwn(subject.digest, algorithm) && subject.digest[algorithm] === hex,
  );
}

function malformed(why: string): AppError {
  return new AppError('ERR_STATEMENT', `this is no in-toto statement: ${why}`, {
    kind: 'permanent',
    remedy: 'Attest the image again; if the attestation is not yours, find out who pushed it.',
  });
}
