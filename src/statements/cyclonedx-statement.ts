import { predicateTypes, statementTypes } from './statement.ts';
import type { Statement, StatementSubject } from './statement.ts';
import type { JsonObject } from './strict-json.ts';

/** The statement that attests a CycloneDX BOM of its subjects, as `cosign attest --type cyclonedx` makes it. */
export function buildCycloneDxStatement(subjects: readonly StatementSubject[], bom: JsonObject): Statement {
  return {
    _type: statementTypes.v01,
    subject: subjects,
    predicateType: predicateTypes.cycloneDx,
    predicate: bom,
  };
}
