import { digestOf } from '../model/digest.ts';
import { limits } from '../model/limits.ts';
import { formatRepository } from '../model/image-reference.ts';
import { mediaTypes } from '../model/oci.ts';
import { isImageIndex } from './manifest-parser.ts';
import { isUnreadableContent } from './registry-faults.ts';
import { registryLimits } from './registry-limits.ts';
import type { Digest } from '../model/digest.ts';
import type { Repository } from '../model/image-reference.ts';
import type { Descriptor } from '../model/oci.ts';
import type { CallOptions, ImageStore, NewManifest } from './image-store.ts';

/** A Sigstore bundle to be attached to an image. */
export interface NewBundle {
  /** The bundle's JSON, v0.3. */
  readonly bytes: Uint8Array;
  /** Predicate type of the statement in it; cosign's own for an image signature. */
  readonly predicateType: string;
  /** Time that the manifest states; the same bundle with the same time gives the same manifest. */
  readonly created: Date;
}

/** What may be a Sigstore bundle about an image, unverified: anybody who can push may have put it there. */
interface BundleCandidate {
  /** Of the referring manifest. */
  readonly descriptor: Descriptor;
  /** What the listing states as predicate type, if it does. */
  readonly statedPredicateType?: string;
  /** Fetches the bundle, digests checked; `undefined` if it is no bundle, or not about the image. */
  readonly load: (options: CallOptions) => Promise<Uint8Array | undefined>;
}

/** The candidates found; `truncated` if there are more referrers than we list. */
export interface BundleList {
  readonly candidates: readonly BundleCandidate[];
  readonly truncated: boolean;
}

/** Options of {@link attachBundle}. */
export interface AttachBundleOptions extends CallOptions {
  /**
   * Tells whether a bundle that is attached already is the content that we mean to attach, verified; then nothing is
   * written. Without it, nothing is listed before writing.
   */
  readonly isSame?: (existing: Uint8Array) => Promise<boolean>;
}

/** What {@link attachBundle} did. */
export interface AttachResult {
  /** `HOST/PATH@DIGEST` of the manifest that refers to the image. */
  readonly ref: string;
  /** False if the content was attached already. */
  readonly added: boolean;
}

const bundleTypePrefix = 'application/vnd.dev.sigstore.bundle';
const emptyConfig = Buffer.from('{}');
const annotationKeys = {
  content: 'dev.sigstore.bundle.content',
  predicateType: 'dev.sigstore.bundle.predicateType',
  created: 'org.opencontainers.image.created',
} as const;

/**
 * Attaches a Sigstore bundle to an image as an OCI 1.1 referrer, as cosign 3.1.3 writes it (pkg/oci/remote, WriteReferrer).
 * `subject` is the image's manifest; it must lie in the same repository, where the referrers API looks. Throws what the
 * store throws.
 */
export async function attachBundle(
  store: ImageStore,
  { repository, subject }: { readonly repository: Repository; readonly subject: Descriptor },
  bundle: NewBundle,
  options: AttachBundleOptions,
): Promise<AttachResult> {
  const existing = await findSame(
    store,
    { repository, digest: subject.digest },
    bundle.predicateType,
    options,
  );
  if (existing !== undefined) return { ref: refOf(repository, existing), added: false };
  const manifest = encodeBundleManifest(subject, bundle);
  await Promise.all([
    // The same two bytes for every bundle: nearly always there.
    store.putBlob(repository, emptyConfig, { ...options, likelyPresent: true }),
    store.putBlob(repository, bundle.bytes, options),
  ]);
  const digest = await store.putReferrer(repository, manifest, options);
  return { ref: refOf(repository, digest), added: true };
}

/**
 * Everything that may be a Sigstore bundle about `image.digest`; nothing is fetched before it is loaded. Registries state
 * a referrer's artifact type differently, so only those are left out that cannot be bundles. Throws what the store throws.
 */
export async function listBundles(
  store: ImageStore,
  image: { readonly repository: Repository; readonly digest: Digest },
  options: CallOptions,
): Promise<BundleList> {
  const { descriptors, truncated } = await store.listReferrers(image.repository, image.digest, options);
  const candidates = descriptors.filter(mayBeBundle).map((descriptor): BundleCandidate => {
    const stated = descriptor.annotations?.[annotationKeys.predicateType];
    return {
      descriptor,
      ...(stated === undefined ? {} : { statedPredicateType: stated }),
      load: (call) => loadBundle(store, image, descriptor, call),
    };
  });
  return { candidates, truncated };
}

async function findSame(
  store: ImageStore,
  image: { readonly repository: Repository; readonly digest: Digest },
  predicateType: string,
  options: AttachBundleOptions,
): Promise<Digest | undefined> {
  if (options.isSame === undefined) return undefined;
  const { candidates } = await listBundles(store, image, options);
  // One that states another predicate cannot be the same; that spares fetching it.
  const alike = candidates.filter(
    ({ statedPredicateType: stated }) => stated === undefined || stated === predicateType,
  );
  for (const candidate of alike.slice(0, registryLimits.duplicateCandidates)) {
    const bytes = await loadReadable(candidate, options);
    if (bytes !== undefined && (await options.isSame(bytes))) return candidate.descriptor.digest;
  }
  return undefined;
}

/** A planted referrer that cannot be read must not keep ours away. */
async function loadReadable(
  candidate: BundleCandidate,
  options: CallOptions,
): Promise<Uint8Array | undefined> {
  try {
    return await candidate.load(options);
  } catch (error) {
    if (isUnreadableContent(error)) return undefined;
    throw error;
  }
}

async function loadBundle(
  store: ImageStore,
  { repository, digest }: { readonly repository: Repository; readonly digest: Digest },
  descriptor: Descriptor,
  options: CallOptions,
): Promise<Uint8Array | undefined> {
  const stored = await store.getManifest(repository, descriptor.digest, options);
  if (stored === undefined || isImageIndex(stored.manifest)) return undefined;
  const { subject, layers } = stored.manifest;
  const [layer] = layers;
  const isBundle = layers.length === 1 && layer?.mediaType.startsWith(bundleTypePrefix) === true;
  if (!isBundle || subject?.digest !== digest) return undefined;
  return store.getBlob(repository, layer, { ...options, maxBytes: limits.envelopeBytes });
}

function mayBeBundle({ artifactType, mediaType }: Descriptor): boolean {
  if (mediaType !== mediaTypes.ociManifest) return false;
  // go-containerregistry's registry states the config's media type instead of the artifact type.
  return (
    artifactType === undefined ||
    artifactType === mediaTypes.emptyConfig ||
    artifactType.startsWith(bundleTypePrefix)
  );
}

function encodeBundleManifest(subject: Descriptor, bundle: NewBundle): NewManifest {
  const { mediaType, size, digest } = subject;
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {
      mediaType: mediaTypes.emptyConfig,
      size: emptyConfig.byteLength,
      digest: digestOf(emptyConfig),
      artifactType: mediaTypes.sigstoreBundle,
    },
    layers: [
      {
        mediaType: mediaTypes.sigstoreBundle,
        size: bundle.bytes.byteLength,
        digest: digestOf(bundle.bytes),
      },
    ],
    annotations: {
      [annotationKeys.content]: 'dsse-envelope',
      [annotationKeys.predicateType]: bundle.predicateType,
      [annotationKeys.created]: bundle.created.toISOString().replace(/\.\d{3}Z$/, 'Z'),
    },
    subject: { mediaType, size, digest },
    artifactType: mediaTypes.sigstoreBundle,
  };
  return { bytes: Buffer.from(JSON.stringify(manifest)), mediaType: mediaTypes.ociManifest };
}

function refOf(repository: Repository, digest: Digest): string {
  return `${formatRepository(repository)}@${digest}`;
}
