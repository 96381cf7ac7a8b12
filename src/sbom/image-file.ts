import type { Cataloguer } from './cataloguer.ts';
import { LayerCache } from './layer-cache.ts';
import { normaliseLayerPath, splitLayerPath } from './layer-path.ts';
import type { LayerSource } from './layer-source.ts';
import { overlayLayers } from './overlay.ts';
import type { SbomLimits } from './sbom-limits.ts';

/** What {@link readImageFile} reads, within which bounds. */
export interface ImageFileRequest {
  /** Path in the image; directories on the way must not be symlinks. */
  readonly path: string;
  /** Bytes of the file. */
  readonly maxBytes: number;
  readonly limits: SbomLimits;
  readonly signal: AbortSignal;
}

const name = 'image-file';

/**
 * One file of the merged image: its bytes, `too-large`, or undefined if there is none. All layers are read. Throws what
 * {@link overlayLayers} throws.
 */
export async function readImageFile(
  source: LayerSource,
  { path, maxBytes, limits, signal }: ImageFileRequest,
): Promise<Uint8Array | 'too-large' | undefined> {
  const wanted = normaliseLayerPath(path);
  const reader: Cataloguer<string> = {
    name,
    version: 1,
    rules: [
      {
        select: { names: [splitLayerPath(wanted).base], accept: (file) => file.path === wanted },
        maxBytes,
        // Facts are JSON data; latin1 keeps each byte as one character.
        parse: (content) => Buffer.from(content).toString('latin1'),
      },
    ],
    assemble: () => ({ components: [] }),
  };
  const deadline = AbortSignal.timeout(limits.durationMs);
  const tree = await overlayLayers(source, {
    cataloguers: [reader],
    cache: new LayerCache(1),
    limits,
    signal: AbortSignal.any([signal, deadline]),
  });
  const read = tree.find(wanted)?.facts?.[name];
  if (read === undefined) return undefined;
  return 'gap' in read ? 'too-large' : Buffer.from(read.fact as string, 'latin1');
}
