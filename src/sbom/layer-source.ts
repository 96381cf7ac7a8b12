import type { Digest } from '../model/digest.ts';

/** What an image runs on, as its config says (image-spec, config.md). */
export interface ImagePlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** One layer of an image, lowest first in {@link LayerSource.layers}. */
export interface SourceLayer {
  /** Digest of the bytes that `open` gives. */
  readonly digest: Digest;
  /** Digest of the uncompressed archive: `rootfs.diff_ids` of the config. */
  readonly diffId: Digest;
  readonly mediaType: string;
  /** Bytes that `open` gives. */
  readonly size: number;
  /** True if `open` itself refuses bytes of another size or digest, so that they need not be hashed a second time. */
  readonly isChecked?: boolean;
  /**
   * Starts reading; the digests are checked by the reader, `digest` by the source if it says so. The pieces become the
   * reader's, which frees those that fill their buffer.
   */
  open(options: { readonly signal: AbortSignal }): Promise<AsyncIterable<Uint8Array>>;
}

/** The parts of an image's config that a BOM uses. */
export interface ImageConfig {
  readonly digest: Digest;
  readonly platform: ImagePlatform;
  /** RFC 3339, if the config has it. */
  readonly created?: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One image for one platform, wherever it lies: a registry, a layout folder, an archive. */
export interface LayerSource {
  /** Repository without tag: `harbor.example/team/app`; an archive's file name where there is none. */
  readonly name: string;
  /** The tag it was asked for by, if any. */
  readonly tag?: string;
  /** Digest of the image manifest. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  readonly layers: readonly SourceLayer[];
}
