import { predicateTypes } from '../statements/statement.ts';
import { isJsonObject } from '../statements/strict-json.ts';
import type { JsonObject, JsonValue } from '../statements/strict-json.ts';
import { claimFault } from './builder-claim.ts';
import type { FoundClaim } from './builder-claim.ts';
import type { ClaimDocument } from './builder-claim-document.ts';

/** Names of the marks, which nothing that we observed ourselves carries (docs/sbom.md). */
const markPrefix = 'chainwright:claim';

/**
 * The builder's document as the predicate of our attestation: unchanged, except for marks added at the end of the list
 * that the format has for notes, which say whose claim it is, where it was found and the digest of its bytes there.
 * Without them it is the builder's document again, so that everybody can compare. Throws ERR_SBOM_CLAIM_FORMAT.
 */
export function markClaim({ predicateType, document }: ClaimDocument, claim: FoundClaim): JsonObject {
  const marks: readonly (readonly [string, string])[] = [
    [markPrefix, 'builder'],
    [`${markPrefix}:source`, claim.source],
    [`${markPrefix}:location`, claim.location],
    [`${markPrefix}:digest`, claim.digest],
  ];
  return predicateType === predicateTypes.cycloneDx
    ? markCycloneDx(document, marks, claim)
    : markSpdx(document, marks, claim);
}

type Marks = readonly (readonly [string, string])[];

function markCycloneDx(document: JsonObject, marks: Marks, claim: FoundClaim): JsonObject {
  const metadata = isJsonObject(document['metadata']) ? document['metadata'] : {};
  const properties = listOf(metadata['properties']);
  refuseMarked(properties, 'name', claim);
  const added = marks.map(([name, value]) => ({ name, value }));
  return { ...document, metadata: { ...metadata, properties: [...properties, ...added] } };
}

function markSpdx(document: JsonObject, marks: Marks, claim: FoundClaim): JsonObject {
  const annotations = listOf(document['annotations']);
  refuseMarked(annotations, 'comment', claim);
  const info = document['creationInfo'];
  const mark = {
    // The format demands a time; the document's own keeps the bytes the same.
    annotationDate: isJsonObject(info) ? (info['created'] ?? '') : '',
    annotationType: 'OTHER',
    annotator: 'Tool: chainwright',
    comment: marks.map(([name, value]) => `${name}=${value}`).join('\n'),
  };
  return { ...document, annotations: [...annotations, mark] };
}

/** A document that brings marks of its own could pass for another claim than it is. */
function refuseMarked(notes: readonly JsonValue[], member: string, { location }: FoundClaim): void {
  const isMarked = notes.some((note) => {
    const text = isJsonObject(note) ? note[member] : undefined;
    return typeof text === 'string' && text.startsWith(markPrefix);
  });
  if (isMarked) throw claimFault('ERR_SBOM_CLAIM_FORMAT', location, `carries marks ${markPrefix} of its own`);
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
}
