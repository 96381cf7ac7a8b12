import { AppError } from '../model/errors.ts';

/** A fault of a layer, config or BOM, named by `object` (`repository@digest` or a digest). */
export interface SbomFaultOptions {
  readonly object: string;
  readonly cause?: unknown;
}

/** ERR_SBOM_LAYER_DIGEST: bytes, size or uncompressed archive differ from what manifest and config promise. */
export function digestFault(what: string, options: SbomFaultOptions): AppError {
  return new AppError('ERR_SBOM_LAYER_DIGEST', `layer ${options.object}: ${what}`, {
    kind: 'passing',
    remedy:
      'The registry, or something between, gives other bytes than were pushed: pull or push the image again.',
    ...options,
  });
}

/** ERR_SBOM_LAYER_TRUNCATED: the compressed stream or the archive stops in the middle, though its digest is right. */
export function truncatedFault(what: string, options: SbomFaultOptions): AppError {
  return new AppError('ERR_SBOM_LAYER_TRUNCATED', `layer ${options.object} ends too early: ${what}`, {
    kind: 'permanent',
    remedy: 'Build and push the image again; no container runtime can unpack this layer.',
    ...options,
  });
}

/** ERR_SBOM_LAYER_FORMAT: no tar archive, or one that breaks the format. */
export function formatFault(what: string, options: SbomFaultOptions): AppError {
  return new AppError('ERR_SBOM_LAYER_FORMAT', `layer ${options.object}: ${what}`, {
    kind: 'permanent',
    remedy: 'Build and push the image again with a tool that writes tar layers (plain, gzip or zstd).',
    ...options,
  });
}

/** ERR_SBOM_LIMIT: the image is beyond a bound that keeps time and memory finite (decompression bombs included). */
export function limitFault(what: string, options: SbomFaultOptions): AppError {
  return new AppError('ERR_SBOM_LIMIT', `${options.object}: ${what}`, {
    kind: 'permanent',
    remedy: 'Make the image smaller, or raise the named limit if the image is meant to be like this.',
    ...options,
  });
}

/** ERR_SBOM_SYMLINK_LOOP: an archive member lies behind symlinks that never end. */
export function symlinkLoopFault(path: string, options: SbomFaultOptions): AppError {
  return new AppError(
    'ERR_SBOM_SYMLINK_LOOP',
    `layer ${options.object}: "${path.slice(0, 160)}" lies behind a loop of symlinks`,
    {
      kind: 'permanent',
      remedy: 'Remove the looping symlinks from the image; no container runtime can unpack it.',
      ...options,
    },
  );
}

/** ERR_SBOM_ARCHIVE: a tar file that holds no image, or a broken one; `object` is the file's name. */
export function archiveFault(what: string, options: SbomFaultOptions): AppError {
  return new AppError('ERR_SBOM_ARCHIVE', `${options.object} ${what}`, {
    kind: 'permanent',
    remedy:
      'Give a tar file that docker save, skopeo copy or buildctl wrote, as docker-archive or OCI layout.',
    ...options,
  });
}
