import type { BomDocument } from '../../sbom/bom-document.ts';
import { summariseBom } from '../../sbom/bom-summary.ts';
import { parseStatement } from '../../statements/statement.ts';
import { formatTable } from '../wiring/table.ts';
import { verifyEvidence } from './image-evidence.ts';
import type { EvidenceCheck, FoundEvidence } from './image-evidence.ts';

/** The components that the SBOM attestation among `found` lists, as a table; undefined without one. Verified first. */
export function listAttestedComponents(
  found: readonly FoundEvidence[],
  check: EvidenceCheck,
): readonly string[] | undefined {
  const sbom = found.map((item) => verifyEvidence(item, check)).find(({ name }) => name === 'SBOM');
  if (sbom === undefined) return undefined;
  const { rows } = summariseBom(parseStatement(sbom.payload).predicate as unknown as BomDocument);
  return formatTable(
    ['TYPE', 'NAME', 'VERSION', 'LICENCES', 'FOUND IN'],
    rows.map(({ type, name, version, licences, path }) => [type, name, version, licences, path]),
  ).split('\n');
}
