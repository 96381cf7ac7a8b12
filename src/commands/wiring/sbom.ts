import type { BomSettings } from '../../sbom/bom-document.ts';
import { BomGenerator } from '../../sbom/bom-generator.ts';
import { cataloguers } from '../../sbom/cataloguers/table.ts';
import { defaultSbomLimits } from '../../sbom/sbom-limits.ts';
import { BomThread } from '../../sbom/thread/bom-thread.ts';
import type { ThreadSettings } from '../../sbom/thread/thread-protocol.ts';
import type { Settings } from '../../settings/settings-schema.ts';

// Enough for the base images of a busy cluster: facts of a layer take some hundred KiB.
const sbomCacheBytes = { layers: 64 * 1024 * 1024, boms: 32 * 1024 * 1024 } as const;

/** The settings that an SBOM depends on. */
export interface SbomSettings {
  readonly sbom: Pick<Settings['sbom'], 'concurrency' | 'maxBytes' | 'publisher'>;
}

/** What makes SBOMs in a thread of its own, for a process that has others waiting. */
export function createBomThread(settings: SbomSettings, version: string): BomThread {
  return new BomThread(threadSettingsOf(settings, version));
}

/** What makes SBOMs in this thread. */
export function createBomGenerator(settings: SbomSettings, version: string): BomGenerator {
  return new BomGenerator({ cataloguers, ...threadSettingsOf(settings, version) });
}

function threadSettingsOf(settings: SbomSettings, version: string): ThreadSettings {
  return {
    settings: bomSettingsOf(settings, version),
    limits: defaultSbomLimits,
    concurrency: settings.sbom.concurrency,
    layerCacheBytes: sbomCacheBytes.layers,
    bomCacheBytes: sbomCacheBytes.boms,
  };
}

/** What every SBOM says by these settings. */
export function bomSettingsOf({ sbom }: SbomSettings, version: string): BomSettings {
  const { name, url, email } = sbom.publisher ?? {};
  const publisher =
    name === undefined
      ? {}
      : {
          publisher: {
            name,
            ...(url === undefined ? {} : { url }),
            ...(email === undefined ? {} : { email }),
          },
        };
  return { generator: { name: 'chainwright', version }, maxBytes: sbom.maxBytes, ...publisher };
}
