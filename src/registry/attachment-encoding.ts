import { digestOf } from '../model/digest.ts';
import { mediaTypes } from '../model/oci.ts';
import type { Descriptor, ImageManifest } from '../model/oci.ts';
import type { NewManifest } from './image-store.ts';

/** What go-containerregistry writes for a time that is not set. */
const noTime = '0001-01-01T00:00:00Z';

/**
 * The config of an attachments manifest as cosign 3.1.3 writes it (go-containerregistry's empty image with one history
 * entry and one diff id per layer; layers are not compressed, so that is the layer's digest).
 */
export function encodeAttachmentConfig(layers: readonly Descriptor[]): Uint8Array {
  const config = {
    architecture: '',
    created: noTime,
    history: layers.map(() => ({ created: noTime })),
    os: '',
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    config: {},
  };
  return Buffer.from(JSON.stringify(config));
}

/** An attachments manifest with the field order of cosign; fields of `base` that we do not write stay. */
export function encodeAttachmentManifest(parts: {
  readonly base: ImageManifest | undefined;
  readonly config: Uint8Array;
  readonly layers: readonly Descriptor[];
}): NewManifest {
  const { base, config, layers } = parts;
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    ...base,
    config: { mediaType: mediaTypes.ociConfig, size: config.byteLength, digest: digestOf(config) },
    layers,
  };
  return {
    bytes: Buffer.from(JSON.stringify(manifest)),
    mediaType: base?.mediaType ?? mediaTypes.ociManifest,
  };
}
