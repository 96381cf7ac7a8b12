import { AppError } from '../model/errors.ts';
import type { ProvenanceBuilder } from './build-facts.ts';
import { buildProvenanceV02 } from './slsa-provenance-v02.ts';

/** Chains' names of provenance formats and what makes them: a new format is a new file and a line here. */
const builders: ReadonlyMap<string, ProvenanceBuilder> = new Map([
  ['in-toto', buildProvenanceV02],
  ['slsa/v1', buildProvenanceV02],
]);

/** The names of formats that {@link getProvenanceBuilder} knows. */
export const provenanceFormats: readonly string[] = [...builders.keys()];

/** The builder of a format by its name in `artifacts.taskrun.format`. Throws ERR_STATEMENT_FORMAT. */
export function getProvenanceBuilder(format: string): ProvenanceBuilder {
  const builder = builders.get(format);
  if (builder !== undefined) return builder;
  throw new AppError('ERR_STATEMENT_FORMAT', `"${format.slice(0, 80)}" is no provenance format known here`, {
    kind: 'permanent',
    remedy: `Choose one of ${provenanceFormats.join(', ')}.`,
  });
}
