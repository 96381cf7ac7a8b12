import { splitDigest } from '../../model/digest.ts';
import { AppError } from '../../model/errors.ts';
import { limits } from '../../model/limits.ts';
import { formatRepository } from '../../model/image-reference.ts';
import type { PinnedImage } from '../../model/image-reference.ts';
import type { ArtifactKind } from '../../model/signing-record.ts';
import { resolvePredicateType } from '../../policy/predicate-type.ts';
import { findSubject, parseStatement, predicateTypes, statementTypes } from '../../statements/statement.ts';
import type { Statement } from '../../statements/statement.ts';
import { isJsonObject, parseStrictJson } from '../../statements/strict-json.ts';
import type { JsonObject } from '../../statements/strict-json.ts';

const customType = 'https://cosign.sigstore.dev/attestation/v1';
const sbomTypes: readonly string[] = [predicateTypes.cycloneDx, predicateTypes.spdx];

/**
 * The statement that `cosign attest --type TYPE --predicate FILE` makes (cosign 3.1.3, pkg/cosign/attestation): in-toto
 * v0.1, the image as its one subject; for `custom` the file's text with the time. Throws ERR_USAGE_PREDICATE.
 */
export function statementOf(
  { repository, digest }: PinnedImage,
  { type, predicate, now }: { readonly type: string; readonly predicate: Uint8Array; readonly now: Date },
): Statement {
  const predicateType = resolvePredicateType(type);
  const { algorithm, hex } = splitDigest(digest);
  return {
    _type: statementTypes.v01,
    predicateType,
    subject: [{ name: formatRepository(repository), digest: { [algorithm]: hex } }],
    predicate: predicateType === customType ? customPredicate(predicate, now) : parsePredicate(predicate),
  };
}

/**
 * The statement in a file (`--statement`), which must be about the image. Throws ERR_STATEMENT, ERR_USAGE_PREDICATE for one
 * that is about something else.
 */
export function statementIn(bytes: Uint8Array, { digest }: PinnedImage): Statement {
  const statement = parseStatement(bytes);
  if (findSubject(statement, digest) !== undefined) return statement;
  throw new AppError('ERR_USAGE_PREDICATE', `the statement is not about ${digest}`, {
    kind: 'permanent',
    remedy: 'Give a statement that has the image’s digest among its subjects.',
  });
}

/** How evidence of this type is counted and recorded. */
export function kindOf({ predicateType }: Statement): Exclude<ArtifactKind, 'signature'> {
  return sbomTypes.includes(predicateType) ? 'sbom' : 'provenance';
}

function customPredicate(predicate: Uint8Array, now: Date): JsonObject {
  const text = new TextDecoder('utf-8').decode(predicate);
  return { Data: text, Timestamp: now.toISOString().replace(/\.\d+Z$/, 'Z') };
}

function parsePredicate(bytes: Uint8Array): JsonObject {
  const json = parseStrictJson(bytes, limits.envelopeBytes);
  if ('value' in json && isJsonObject(json.value)) return json.value;
  throw new AppError(
    'ERR_USAGE_PREDICATE',
    `the predicate is ${'fault' in json ? json.fault : 'no object'}`,
    {
      kind: 'permanent',
      remedy: 'Give a JSON object in --predicate; only --type custom takes any text.',
    },
  );
}
