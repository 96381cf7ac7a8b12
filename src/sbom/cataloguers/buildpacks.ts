import type { Cataloguer } from '../cataloguer.ts';
import { parseCycloneDx } from './formats/cyclonedx-document.ts';
import type { EmbeddedBom } from './formats/cyclonedx-document.ts';
import { embeddedComponents } from './formats/embedded-components.ts';

const documentBytes = 64 * 1024 * 1024;

/**
 * What Cloud Native Buildpacks say they put into the image's layers (buildpack interface specification, "Bill of
 * Materials"): `layers/sbom/launch/<buildpack>/<layer>/sbom.cdx.json`. The same in SPDX and Syft's format is not read.
 */
export const buildpacks: Cataloguer<EmbeddedBom> = {
  name: 'buildpacks',
  version: 1,
  rules: [
    {
      select: { names: ['sbom.cdx.json'], accept: ({ path }) => path.includes('layers/sbom/launch/') },
      maxBytes: documentBytes,
      parse: parseCycloneDx,
    },
  ],
  assemble(view) {
    const components = view.files.flatMap(({ path, layer, fact }) =>
      embeddedComponents(fact, { location: { path, layer }, origin: 'Cloud Native Buildpacks' }),
    );
    return { components };
  },
};
