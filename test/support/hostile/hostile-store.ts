import { digestOf } from '../../../src/model/digest.ts';
import type { Digest } from '../../../src/model/digest.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { Descriptor } from '../../../src/model/oci.ts';
import type { ImageStore, StoredManifest } from '../../../src/registry/image-store.ts';
import { parseManifest } from '../../../src/registry/manifest-parser.ts';
import { AppError } from '../../../src/model/errors.ts';
import type { Piece } from './evidence-pieces.ts';

/** What an attacker who can push makes a registry hold beside one image. */
export interface RegistryContent {
  /** By tag or digest. */
  readonly manifests: Map<string, Buffer>;
  readonly blobs: Map<string, Buffer>;
  /** In the order of the listing. */
  readonly referrers: Descriptor[];
}

const emptyConfig = Buffer.from('{}');

/** Hangs pieces beside an image, in the layouts of cosign. */
export function hangBeside(digest: Digest, pieces: readonly Piece[]): RegistryContent {
  const content: RegistryContent = { manifests: new Map(), blobs: new Map(), referrers: [] };
  const describe = (bytes: Buffer, mediaType: string): Descriptor => {
    content.blobs.set(digestOf(bytes), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  for (const suffix of ['sig', 'att'] as const) {
    const layers = pieces
      .filter(({ layout, kind }) => layout === 'tag' && (kind === 'signature') === (suffix === 'sig'))
      .map((piece) => ({ ...describe(piece.content, piece.mediaType), annotations: piece.annotations }));
    if (layers.length === 0) continue;
    const manifest = manifestOf({ config: describe(emptyConfig, mediaTypes.ociConfig), layers });
    content.manifests.set(`${digest.replace(':', '-')}.${suffix}`, manifest);
  }
  const subject = { mediaType: mediaTypes.ociManifest, digest, size: 1 };
  for (const piece of pieces.filter(({ layout }) => layout === 'bundle')) {
    const config = describe(emptyConfig, mediaTypes.emptyConfig);
    const layers = [describe(piece.content, piece.mediaType)];
    const manifest = manifestOf({ artifactType: piece.mediaType, config, layers, subject });
    content.manifests.set(digestOf(manifest), manifest);
    content.referrers.push({
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(manifest),
      size: manifest.length,
      artifactType: mediaTypes.sigstoreBundle,
    });
  }
  return content;
}

function manifestOf(parts: object): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, ...parts }));
}

/** A store that holds this content and nothing else; like every store it checks digests and parses manifests. */
export function openHostileStore({ manifests, blobs, referrers }: RegistryContent): ImageStore {
  const refused = (): Promise<never> => Promise.reject(new Error('nobody writes here'));
  const find = (reference: string): StoredManifest | undefined => {
    const bytes = manifests.get(reference);
    if (bytes === undefined) return undefined;
    if (reference.includes(':')) requireDigest(bytes, reference);
    const { mediaType, manifest } = parseManifest(bytes, mediaTypes.ociManifest, reference);
    return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes, manifest };
  };
  return {
    headManifest: async (_, reference) =>
      Promise.resolve(manifests.get(reference)).then(() => find(reference)?.descriptor),
    getManifest: async (_, reference) => Promise.resolve().then(() => find(reference)),
    headBlob: async (_, digest) => {
      const bytes = blobs.get(digest);
      return Promise.resolve(bytes === undefined ? undefined : { digest, size: bytes.length });
    },
    getBlob: async (_, { digest, size }, { maxBytes }) => {
      const bytes = await Promise.resolve(blobs.get(digest));
      if (bytes === undefined) throw fault('ERR_REGISTRY_BLOB_ABSENT', digest);
      if (bytes.length > maxBytes) throw fault('ERR_REGISTRY_TOO_LARGE', digest);
      if (bytes.length !== size) throw fault('ERR_REGISTRY_DIGEST_MISMATCH', digest);
      requireDigest(bytes, digest);
      return bytes;
    },
    listReferrers: async () => Promise.resolve({ descriptors: referrers, truncated: false }),
    openBlob: refused,
    putBlob: refused,
    putManifest: refused,
    updateTag: refused,
    putReferrer: refused,
  };
}

function requireDigest(bytes: Buffer, digest: string): void {
  if (digestOf(bytes) !== digest) throw fault('ERR_REGISTRY_DIGEST_MISMATCH', digest);
}

function fault(code: string, object: string): AppError {
  return new AppError(code, 'it cannot be read', { kind: 'permanent', object, remedy: 'None.' });
}
