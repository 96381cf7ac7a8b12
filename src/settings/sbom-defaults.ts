/** What counts of `sbom` where no source says otherwise; apart from the schema, which takes 10 MB to load. */
export const sbomDefaults = { concurrency: 2, maxBytes: 2_097_152 } as const;
