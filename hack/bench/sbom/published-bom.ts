import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLayerSource } from '../../../src/attestation/sbom-statements.ts';
import type { Digest } from '../../../src/model/digest.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { cataloguers } from '../../../src/sbom/cataloguers/table.ts';
import { generateBom } from '../../../src/sbom/generate-bom.ts';
import { LayerCache } from '../../../src/sbom/layer-cache.ts';
import { defaultSbomLimits } from '../../../src/sbom/sbom-limits.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';

/** Whoever publishes images names themselves in the settings; a judge asks for it. */
const publisher = { name: 'Bench Images', url: 'https://images.example', email: 'security@images.example' };

/** Writes the BOM that a controller with a configured publisher attests for the image in a layout folder. */
export async function writePublishedBom(layout: string, file: string, signal: AbortSignal): Promise<void> {
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
    readonly manifests: readonly { readonly digest: Digest }[];
  };
  const [manifest] = index.manifests;
  if (manifest === undefined) throw new Error(`${layout} holds no image`);
  const repository = { registry: 'registry.example', path: 'bench/image' };
  const store = await openLayoutStore(layout, systemClock);
  const source = await openLayerSource({ repository, digest: manifest.digest }, store, { signal });
  const { bytes } = await generateBom(source, {
    cataloguers,
    cache: new LayerCache(1),
    limits: defaultSbomLimits,
    settings: { generator: { name: 'chainwright', version: 'checkout' }, publisher },
    signal,
  });
  await writeFile(file, bytes);
}
