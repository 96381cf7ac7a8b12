import { AppError } from '../../model/errors.ts';
import type { BomDocument } from '../../sbom/bom-document.ts';
import { summariseBom } from '../../sbom/bom-summary.ts';
import { parseStatement, predicateTypes } from '../../statements/statement.ts';
import { formatTable } from '../wiring/table.ts';
import type { DemoScene } from './demo-scene.ts';
import type { StepAccount } from './demo-steps.ts';
import { readEvidenceOf, verifyEvidence } from './image-evidence.ts';

/** Shows what the SBOM says, read from its attestation after that was verified. */
export async function showSbom({ store, image, check, signal }: DemoScene): Promise<StepAccount> {
  const found = await readEvidenceOf(store, image, { signal });
  const statements = found
    .map((item) => verifyEvidence(item, check))
    .filter(({ name }) => name === 'SBOM')
    .map(({ payload }) => parseStatement(payload));
  const [statement] = statements;
  if (statement?.predicateType !== predicateTypes.cycloneDx) {
    throw new AppError('ERR_DEMO', 'there is no verified SBOM', { kind: 'bug' });
  }
  const { rows } = summariseBom(statement.predicate as unknown as BomDocument);
  const table = formatTable(
    ['TYPE', 'NAME', 'VERSION', 'LICENCES', 'FOUND IN'],
    rows.map(({ type, name, version, licences, path }) => [type, name, version, licences, path]),
  );
  return {
    title: 'What is in the image, by its verified SBOM attestation (CycloneDX 1.6)',
    lines: table.split('\n'),
  };
}
