/** Formats of provenance that settings and policies may name, by Tekton Chains' names. */
export const provenanceFormats = ['slsa/v1', 'in-toto'] as const;
