import { predicateTypes, statementTypes } from './statement.ts';
import type { StatementSubject, TextStatement } from './statement.ts';

/**
 * The statement that attests a CycloneDX BOM of its subjects, as `cosign attest --type cyclonedx` makes it; `bom` is the
 * document's JSON.
 */
export function buildCycloneDxStatement(
  subjects: readonly StatementSubject[],
  bom: Uint8Array,
): TextStatement {
  return {
    _type: statementTypes.v01,
    subject: subjects,
    predicateType: predicateTypes.cycloneDx,
    predicate: bom,
  };
}
