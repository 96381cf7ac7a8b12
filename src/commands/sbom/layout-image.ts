import { createReadStream } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Digest } from '../../model/digest.ts';
import { readBounded } from '../../model/bounded-body.ts';
import { AppError, isAppError, messageOf } from '../../model/errors.ts';
import { mediaTypes } from '../../model/oci.ts';
import type { Descriptor } from '../../model/oci.ts';
import { isImageIndex, parseManifest } from '../../registry/manifest-parser.ts';
import { registryLimits } from '../../registry/registry-limits.ts';

/** An image in an OCI layout folder. */
export interface LayoutImage {
  readonly digest: Digest;
  /** Repository without tag if the layout names one, else the folder's name. */
  readonly name: string;
}

// image-spec and containerd; skopeo and buildkit write the first as a bare tag, we as HOST/PATH:TAG.
const nameKeys = ['org.opencontainers.image.ref.name', 'io.containerd.image.name'] as const;
// crane states the config's media type as the artifact type.
const imageTypes: readonly string[] = [
  mediaTypes.ociConfig,
  'application/vnd.docker.container.image.v1+json',
];
const maxListed = 10;

/**
 * Finds what `oci-layout:DIR[:REF|@DIGEST]` means: the entry of `index.json` whose name is REF or ends in `:REF`, the
 * digest, or the only image. Throws ERR_USAGE_LAYOUT, ERR_REGISTRY_MANIFEST.
 */
export async function findLayoutImage(
  folder: string,
  { ref, digest }: { readonly ref?: string; readonly digest?: Digest },
  options: { readonly signal: AbortSignal },
): Promise<LayoutImage> {
  const entries = await readIndex(folder, options);
  const label = basename(resolve(folder));
  if (digest !== undefined) {
    const entry = entries.find((one) => one.digest === digest);
    return { digest, name: entry === undefined ? label : nameOf(entry, label) };
  }
  const found = entries.filter((entry) => isImage(entry) && (ref === undefined || isNamed(entry, ref)));
  const [first] = found;
  if (first !== undefined && found.every((one) => one.digest === first.digest)) {
    return { digest: first.digest, name: nameOf(first, label) };
  }
  const names = entries.filter(isImage).map((entry) => namesOf(entry)[0] ?? entry.digest);
  const more = names.length > maxListed ? ` and ${names.length - maxListed} more` : '';
  const what = ref === undefined ? 'one image' : `one image named ${ref}`;
  throw layoutFault(
    folder,
    names.length === 0
      ? 'holds no image'
      : `does not hold just ${what}, but ${names.slice(0, maxListed).join(', ')}${more}`,
  );
}

async function readIndex(
  folder: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly Descriptor[]> {
  const path = join(folder, 'index.json');
  const bound = { maxBytes: registryLimits.layoutIndexBytes, code: 'ERR_USAGE_LAYOUT', object: path };
  let bytes: Uint8Array;
  try {
    bytes = await readBounded(createReadStream(path, { signal }), bound);
  } catch (error) {
    signal.throwIfAborted();
    if (isAppError(error)) throw error;
    throw layoutFault(folder, `is no OCI layout folder: ${messageOf(error)}`, error);
  }
  const { manifest } = parseManifest(bytes, mediaTypes.ociIndex, path);
  return isImageIndex(manifest) ? manifest.manifests : [];
}

/** Evidence lies in a layout too: cosign's tags, and bundles, which have an artifact type of their own. */
function isImage(entry: Descriptor): boolean {
  if (entry.artifactType !== undefined && !imageTypes.includes(entry.artifactType)) return false;
  const isEvidence = namesOf(entry).some((name) => /(?:^|:)sha256-[0-9a-f]{64}(?:\.\w+)?$/.test(name));
  return !isEvidence;
}

function isNamed(entry: Descriptor, ref: string): boolean {
  return namesOf(entry).some((name) => name === ref || name.endsWith(`:${ref}`));
}

function namesOf({ annotations = {} }: Descriptor): readonly string[] {
  return nameKeys.map((key) => annotations[key]).filter((name) => name !== undefined);
}

function nameOf(entry: Descriptor, label: string): string {
  const full = namesOf(entry).find((name) => name.includes('/'));
  if (full === undefined) return label;
  const colon = full.indexOf(':', full.lastIndexOf('/'));
  return colon === -1 ? full : full.slice(0, colon);
}

function layoutFault(folder: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_USAGE_LAYOUT', `${folder} ${why}`, {
    kind: 'permanent',
    object: folder,
    remedy: 'Name an OCI layout folder, and the image in it as oci-layout:DIR:REF or oci-layout:DIR@DIGEST.',
    cause,
  });
}
