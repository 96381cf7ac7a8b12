import { AppError } from '../model/errors.ts';
import type { BomSettings } from './bom-document.ts';
import { writeFittingBom } from './bom-size.ts';
import { summariseBom } from './bom-summary.ts';
import type { BomSummary } from './bom-summary.ts';
import type { AnyCataloguer, Distro, Gap } from './cataloguer.ts';
import { takeInventory } from './inventory.ts';
import type { LayerCache } from './layer-cache.ts';
import type { LayerSource } from './layer-source.ts';
import { overlayLayers } from './overlay.ts';
import type { SbomProgress } from './overlay.ts';
import { limitFault } from './sbom-fault.ts';
import type { SbomLimits } from './sbom-limits.ts';

/** A finished BOM: the exact bytes to attest, and what people want to know of it. */
export interface GeneratedBom extends BomSummary {
  /** CycloneDX 1.6 JSON, UTF-8. The same image and settings give the same bytes. */
  readonly bytes: Uint8Array;
  readonly serialNumber: string;
  readonly distro: Distro | undefined;
  /** What could not be read; the BOM names it too. */
  readonly gaps: readonly Gap[];
}

/** What {@link generateBom} works with. */
export interface GenerateBomOptions {
  readonly cataloguers: readonly AnyCataloguer[];
  readonly cache: LayerCache;
  readonly limits: SbomLimits;
  readonly settings: BomSettings;
  readonly signal: AbortSignal;
  onProgress?(progress: SbomProgress): void;
}

/**
 * Makes the BOM of one image by reading its layers: no disk, no container engine, memory bounded by `limits`. Throws
 * ERR_SBOM_TIMEOUT, ERR_SBOM_PLATFORM, ERR_SBOM_CATALOGUER, ERR_SBOM_TOO_LARGE and what {@link overlayLayers} throws.
 */
export async function generateBom(source: LayerSource, options: GenerateBomOptions): Promise<GeneratedBom> {
  const object = `${source.name}@${source.digest}`;
  refuseWindows(source, object);
  const { limits, cataloguers } = options;
  const deadline = AbortSignal.timeout(limits.durationMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  try {
    const tree = await overlayLayers(source, { ...options, signal });
    const inventory = takeInventory(tree, cataloguers, source.config.platform);
    if (inventory.components.length > limits.components) {
      throw limitFault(`the image has more than ${limits.components} components`, { object });
    }
    const { document, bytes } = writeFittingBom(source, inventory, options.settings);
    return {
      bytes,
      serialNumber: document.serialNumber,
      distro: inventory.distro,
      gaps: inventory.gaps,
      ...summariseBom(document),
    };
  } catch (error) {
    if (deadline.aborted && !options.signal.aborted) throw timeoutFault(object, limits.durationMs, error);
    throw error;
  }
}

/** Windows layers have neither these paths nor these databases: an empty BOM would claim that nothing is in them. */
function refuseWindows({ config }: LayerSource, object: string): void {
  if (config.platform.os !== 'windows') return;
  throw new AppError(
    'ERR_SBOM_PLATFORM',
    `${object} is a Windows image, whose contents cannot be catalogued`,
    {
      kind: 'permanent',
      object,
      remedy: "Let the image's build write an SBOM, or turn SBOMs off for this image.",
    },
  );
}

function timeoutFault(object: string, durationMs: number, cause: unknown): AppError {
  return new AppError('ERR_SBOM_TIMEOUT', `the layers of ${object} were not read within ${durationMs} ms`, {
    kind: 'passing',
    object,
    remedy: 'Look at the speed of the registry, or raise the time limit for large images.',
    cause,
  });
}
