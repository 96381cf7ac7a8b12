/** Upper bounds of one image's cataloguing; each with the reason for its size. */
export interface SbomLimits {
  /** Bytes of all layers after decompression. */
  readonly uncompressedBytes: number;
  /** Uncompressed over compressed bytes of a layer, looked at past `ratioFreeBytes`. */
  readonly ratio: number;
  readonly ratioFreeBytes: number;
  /** Archive members of all layers. */
  readonly entries: number;
  /** Layers. */
  readonly layers: number;
  /** Bytes of a path or link target. */
  readonly pathBytes: number;
  /** Bytes of facts and symlinks kept for one image, estimated. */
  readonly factBytes: number;
  /** Components in one BOM. */
  readonly components: number;
  /** Milliseconds for one image. */
  readonly durationMs: number;
}

/** Limits that fit every real image measured, with room; see each line. */
export const defaultSbomLimits: SbomLimits = {
  /** The largest images in common use (machine learning) unpack to about 20 GB. */
  uncompressedBytes: 64 * 1024 ** 3,
  /** Layers shrink 2 to 5 times; a layer of zeros 1000 times, hence the free first gibibyte. */
  ratio: 200,
  ratioFreeBytes: 1024 ** 3,
  /** Ten times the worst image measured. */
  entries: 10_000_000,
  /** Engines stop at 127; flattened histories may hold more. */
  layers: 1000,
  /** Linux takes 4096. */
  pathBytes: 8192,
  /** A million-file image measured 20 MB. */
  factBytes: 256 * 1024 * 1024,
  /** A thousand times the usual; 0.8 KB each in the document. */
  components: 200_000,
  durationMs: 15 * 60_000,
};
