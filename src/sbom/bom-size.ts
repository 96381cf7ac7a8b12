import { AppError } from '../model/errors.ts';
import { bomDetails } from './bom-detail.ts';
import { writeBom } from './bom-document.ts';
import type { BomDocument, BomSettings } from './bom-document.ts';
import type { Inventory } from './inventory.ts';
import type { LayerSource } from './layer-source.ts';

/** A document and the bytes that it is attested as. */
export interface SizedBom {
  readonly document: BomDocument;
  readonly bytes: Uint8Array;
}

/**
 * The fullest BOM that fits into `settings.maxBytes`: occurrences and layers go first, then edges of development
 * packages, then licences without SPDX id; components never. A reduced one says so in its metadata. Throws
 * ERR_SBOM_TOO_LARGE.
 */
export function writeFittingBom(source: LayerSource, inventory: Inventory, settings: BomSettings): SizedBom {
  const { maxBytes = Infinity } = settings;
  let smallest = 0;
  for (const detail of bomDetails) {
    const document = writeBom(source, inventory, settings, detail);
    const bytes = Buffer.from(JSON.stringify(document));
    if (bytes.length <= maxBytes) return { document, bytes };
    smallest = bytes.length;
  }
  throw tooLargeFault(`${source.name}@${source.digest}`, smallest, maxBytes);
}

/** ERR_SBOM_TOO_LARGE for the image `object`. */
export function tooLargeFault(object: string, bytes: number, maxBytes: number): AppError {
  return new AppError(
    'ERR_SBOM_TOO_LARGE',
    `the SBOM of ${object} takes ${bytes} bytes of at most ${maxBytes}`,
    {
      kind: 'permanent',
      object,
      remedy:
        'Use a log that takes entries by digest (Rekor v2) and raise the limit, or make the image smaller.',
    },
  );
}
