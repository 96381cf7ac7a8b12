import { digestOf } from '../../../src/model/digest.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { Digest } from '../../../src/model/digest.ts';
import type { Repository } from '../../../src/model/image-reference.ts';
import type { Descriptor, ImageIndex, ImageManifest } from '../../../src/model/oci.ts';
import type { NewAttachment } from '../../../src/registry/attachments-by-tag.ts';
import type { ImageStore, NewManifest } from '../../../src/registry/image-store.ts';

/** A signal that ends a hanging test before mocha does. */
export function soon(): AbortSignal {
  return AbortSignal.timeout(60_000);
}

/** `value` as a manifest to be written. */
export function encode(value: object, mediaType: string = mediaTypes.ociManifest): NewManifest {
  return { bytes: Buffer.from(JSON.stringify(value)), mediaType };
}

/** Descriptor of bytes. */
export function describeBytes(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
}

/** Pushes an image of one layer that holds `content`, and gives its descriptor. */
export async function pushImage(
  store: ImageStore,
  repository: Repository,
  content: string,
  tag?: string,
): Promise<Descriptor> {
  const [config, layer] = [Buffer.from('{"os":"linux"}'), Buffer.from(content)];
  for (const bytes of [config, layer]) await store.putBlob(repository, bytes, { signal: soon() });
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describeBytes(config, mediaTypes.ociConfig),
    layers: [describeBytes(layer, 'application/vnd.oci.image.layer.v1.tar')],
  };
  const encoded = encode(manifest);
  const reference = tag ?? digestOf(encoded.bytes);
  const digest = await store.putManifest(repository, reference, encoded, { signal: soon() });
  return { mediaType: mediaTypes.ociManifest, digest, size: encoded.bytes.byteLength };
}

/** An index of the given manifests. */
export function indexOf(manifests: readonly Descriptor[]): NewManifest {
  const index: ImageIndex = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  return encode(index, mediaTypes.ociIndex);
}

/** A digest of nothing that exists. */
export const unknownDigest: Digest = digestOf('nobody pushed this');

/** A signature layer with its signature in the annotation, as cosign has it. */
export function signatureLayer(payload: string, signature: string): NewAttachment {
  return {
    mediaType: mediaTypes.simpleSigning,
    bytes: Buffer.from(payload),
    annotations: { 'dev.cosignproject.cosign/signature': signature },
  };
}
