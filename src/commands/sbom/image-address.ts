import { isDigest } from '../../model/digest.ts';
import type { Digest } from '../../model/digest.ts';
import { AppError } from '../../model/errors.ts';
import { parseImageReference } from '../../model/image-reference.ts';
import type { ImageReference } from '../../model/image-reference.ts';

/** Where the image lies that a person named. */
export type ImageAddress =
  | { readonly kind: 'registry'; readonly reference: ImageReference }
  /** An OCI layout folder; without `ref` and `digest` it must hold one image. */
  | { readonly kind: 'oci-layout'; readonly folder: string; readonly ref?: string; readonly digest?: Digest }
  | { readonly kind: 'tar'; readonly file: string };

const schemes = { layout: 'oci-layout:', tar: 'tar:' } as const;

/**
 * Parses `IMAGE`, `oci-layout:DIR[:REF|@DIGEST]` or `tar:FILE`. As with skopeo and buildah, a folder's name ends at its
 * first colon, so that REF may be `HOST/PATH:TAG`. Throws ERR_USAGE_IMAGE.
 */
export function parseImageAddress(value: string): ImageAddress {
  if (value.startsWith(schemes.tar)) {
    const file = value.slice(schemes.tar.length);
    if (file === '') throw malformed(value, 'it names no file');
    return { kind: 'tar', file };
  }
  if (value.startsWith(schemes.layout)) return parseLayout(value);
  try {
    return { kind: 'registry', reference: parseImageReference(value) };
  } catch (error) {
    throw malformed(value, 'it is no image reference', error);
  }
}

function parseLayout(value: string): ImageAddress {
  const rest = value.slice(schemes.layout.length);
  const at = rest.lastIndexOf('@');
  const digest = rest.slice(at + 1);
  if (at > 0 && isDigest(digest)) return { kind: 'oci-layout', folder: rest.slice(0, at), digest };
  const colon = rest.indexOf(':');
  const folder = colon === -1 ? rest : rest.slice(0, colon);
  const ref = colon === -1 ? undefined : rest.slice(colon + 1);
  if (folder === '') throw malformed(value, 'it names no folder');
  if (ref === '') throw malformed(value, 'nothing follows its last colon');
  return { kind: 'oci-layout', folder, ...(ref === undefined ? {} : { ref }) };
}

function malformed(value: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_USAGE_IMAGE', `"${value.slice(0, 200)}" names no image: ${why}`, {
    kind: 'permanent',
    remedy: 'Write HOST/PATH:TAG, HOST/PATH@sha256:HEX, oci-layout:DIR[:REF|@DIGEST] or tar:FILE.',
    cause,
  });
}
