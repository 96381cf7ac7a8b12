/** How much a BOM says; less makes it smaller. */
export interface BomDetail {
  /** Occurrences listed for one component. */
  readonly occurrences: number;
  /** Whether each component names the layer that brought it. */
  readonly layers: boolean;
  /** Whether components without hashes of their own bytes get that of what names them. */
  readonly manifestHashes: boolean;
  /** Whether edges of development-only components are listed. */
  readonly developmentEdges: boolean;
  /** Whether licences without an SPDX id are listed. */
  readonly namedLicences: boolean;
}

const full: BomDetail = {
  occurrences: 1000,
  layers: true,
  manifestHashes: true,
  developmentEdges: true,
  namedLicences: true,
};
const withoutPlaces: BomDetail = { ...full, occurrences: 3, layers: false, manifestHashes: false };
const withoutDevelopment: BomDetail = { ...withoutPlaces, developmentEdges: false };

/** From everything that is known to the least that is still a full list of components, for logs that bound entries. */
export const bomDetails: readonly [BomDetail, ...BomDetail[]] = [
  full,
  withoutPlaces,
  withoutDevelopment,
  { ...withoutDevelopment, namedLicences: false },
];
