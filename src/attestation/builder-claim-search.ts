import { digestOf, splitDigest } from '../model/digest.ts';
import type { Digest } from '../model/digest.ts';
import { isAppError } from '../model/errors.ts';
import type { AppError } from '../model/errors.ts';
import { formatRepository } from '../model/image-reference.ts';
import type { Descriptor, ImageManifest } from '../model/oci.ts';
import { isIndexMediaType, mediaTypes } from '../model/oci.ts';
import type { ImageStore } from '../registry/image-store.ts';
import { isImageIndex } from '../registry/manifest-parser.ts';
import { readImageFile } from '../sbom/image-file.ts';
import { defaultSbomLimits } from '../sbom/sbom-limits.ts';
import { predicateTypes } from '../statements/statement.ts';
import { claimFault } from './builder-claim.ts';
import type { ClaimSource, FoundClaim } from './builder-claim.ts';
import type { ResolvedImage } from './resolve-subjects.ts';
import { openLayerSource } from './sbom-statements.ts';

/** How claims beside images are looked for. */
export interface ClaimSearch {
  readonly store: ImageStore;
  /** Bytes of one SBOM. */
  readonly maxBytes: number;
  /** Path of an SBOM in the image. */
  readonly file?: string | undefined;
  readonly signal: AbortSignal;
}

/** What one look brought: claims, and what could not be read. */
export interface ClaimFindings {
  readonly claims: readonly FoundClaim[];
  readonly faults: readonly AppError[];
}

const documentTypes = new Set([
  'application/vnd.cyclonedx+json',
  'application/spdx+json',
  // What cosign attach sbom and ko write.
  'text/spdx+json',
]);
const buildKit = {
  type: 'vnd.docker.reference.type',
  digest: 'vnd.docker.reference.digest',
  predicate: 'in-toto.io/predicate-type',
} as const;
const statementType = 'application/vnd.in-toto+json';
const relayedPredicates: readonly string[] = [predicateTypes.cycloneDx, predicateTypes.spdx];
/** SBOMs read beside one image by one way: a build writes one or two. */
const maxClaims = 8;
/** Manifests looked into beside one image by one way. */
const maxManifests = 32;

type Look = (image: ResolvedImage, search: ClaimSearch) => Promise<readonly FoundClaim[]>;

/** The ways in their order: of the same document found twice the first counts. */
const looks: readonly { readonly source: Exclude<ClaimSource, 'result'>; readonly look: Look }[] = [
  { source: 'buildkit', look: lookInIndex },
  { source: 'referrer', look: lookAtReferrers },
  { source: 'tag', look: lookUnderTag },
  { source: 'file', look: lookIntoImage },
];

/** Looks for SBOMs beside and in an image, by all ways but the run's results; what fails one way leaves the others alone. */
export async function searchClaims(
  image: ResolvedImage,
  search: ClaimSearch,
): Promise<ReadonlyMap<ClaimSource, ClaimFindings>> {
  const outcomes = looks.map(async ({ source, look }): Promise<[ClaimSource, ClaimFindings]> => {
    try {
      return [source, { claims: await look(image, search), faults: [] }];
    } catch (error) {
      if (isAppError(error)) return [source, { claims: [], faults: [error] }];
      throw error;
    }
  });
  return new Map(await Promise.all(outcomes));
}

/** BuildKit's attestation manifests, which the image's own index lists (moby/buildkit, attestation-storage.md). */
async function lookInIndex(image: ResolvedImage, search: ClaimSearch): Promise<readonly FoundClaim[]> {
  const { index } = image;
  if (index === undefined) return [];
  const stored = await search.store.getManifest(index.repository, index.digest, search);
  if (stored === undefined || !isImageIndex(stored.manifest)) return [];
  const entries = stored.manifest.manifests.filter(
    ({ annotations = {} }) =>
      annotations[buildKit.type] === 'attestation-manifest' && annotations[buildKit.digest] === image.digest,
  );
  const layers = await layersOf(image, entries, search);
  return fetchAll(layers.filter(isRelayedStatement), { image, search, source: 'buildkit', isBound: true });
}

function isRelayedStatement({ mediaType, annotations = {} }: Descriptor): boolean {
  return mediaType === statementType && relayedPredicates.includes(annotations[buildKit.predicate] ?? '');
}

/** OCI 1.1 referrers whose artifact type, or layer, is an SBOM (`oras attach`, `regctl artifact put`). */
async function lookAtReferrers(image: ResolvedImage, search: ClaimSearch): Promise<readonly FoundClaim[]> {
  const { descriptors } = await search.store.listReferrers(image.repository, image.digest, search);
  const stated = descriptors.filter(({ artifactType = '' }) => documentTypes.has(artifactType));
  // go-containerregistry's registry states the config's media type instead of the artifact type.
  const unstated = descriptors.filter(
    ({ artifactType }) => artifactType === undefined || artifactType === mediaTypes.emptyConfig,
  );
  const entries = [...stated, ...unstated];
  // A listing is unsigned and may be stale; the manifest's own subject counts.
  const isMeant = ({ subject }: ImageManifest): boolean => subject?.digest === image.digest;
  const layers = await layersOf(image, entries, search, isMeant);
  return fetchAll(layers.filter(isDocument), { image, search, source: 'referrer', isBound: true });
}

/** The tag `sha256-<hex>.sbom` of `cosign attach sbom` and ko. */
async function lookUnderTag(image: ResolvedImage, search: ClaimSearch): Promise<readonly FoundClaim[]> {
  const { algorithm, hex } = splitDigest(image.digest);
  const stored = await search.store.getManifest(image.repository, `${algorithm}-${hex}.sbom`, search);
  if (stored === undefined || isImageIndex(stored.manifest)) return [];
  const layers = stored.manifest.layers.filter(isDocument);
  return fetchAll(layers, { image, search, source: 'tag', isBound: false });
}

async function lookIntoImage(image: ResolvedImage, search: ClaimSearch): Promise<readonly FoundClaim[]> {
  const { file: path, maxBytes, signal, store } = search;
  if (path === undefined || isIndexMediaType(image.descriptor.mediaType)) return [];
  const layers = await openLayerSource(image, store, { signal });
  const bytes = await readImageFile(layers, { path, maxBytes, limits: defaultSbomLimits, signal });
  if (bytes === undefined) return [];
  const location = `${formatRepository(image.repository)}@${image.digest}:${path}`;
  if (bytes === 'too-large') throw tooLarge(location, maxBytes);
  return [{ source: 'file', location, bytes, digest: digestOf(bytes), image, isBound: true }];
}

function isDocument({ mediaType }: Descriptor): boolean {
  return documentTypes.has(mediaType);
}

/** The layers of the manifests that `entries` name, as far as these are images' manifests that `isMeant` takes. */
async function layersOf(
  { repository }: ResolvedImage,
  entries: readonly Descriptor[],
  search: ClaimSearch,
  isMeant: (manifest: ImageManifest) => boolean = () => true,
): Promise<readonly Descriptor[]> {
  const layers: Descriptor[] = [];
  for (const { digest } of entries.slice(0, maxManifests)) {
    const stored = await search.store.getManifest(repository, digest, search);
    if (stored === undefined || isImageIndex(stored.manifest) || !isMeant(stored.manifest)) continue;
    layers.push(...stored.manifest.layers);
  }
  return layers;
}

async function fetchAll(
  layers: readonly Descriptor[],
  found: Pick<FoundClaim, 'source' | 'isBound'> & {
    readonly image: ResolvedImage;
    readonly search: ClaimSearch;
  },
): Promise<readonly FoundClaim[]> {
  const { image, search, source, isBound } = found;
  const claims: FoundClaim[] = [];
  for (const { digest, size } of layers.slice(0, maxClaims)) {
    const location = `${formatRepository(image.repository)}@${digest}`;
    const bytes = await fetchClaim(image, { digest, size }, { ...search, location });
    claims.push({ source, location, bytes, digest, image, isBound });
  }
  return claims;
}

/** The bytes of an SBOM blob, digest checked. Throws ERR_SBOM_CLAIM_TOO_LARGE, and what the store throws. */
export async function fetchClaim(
  { repository }: Pick<ResolvedImage, 'repository'>,
  blob: { readonly digest: Digest; readonly size: number },
  { store, maxBytes, location, signal }: ClaimSearch & { readonly location: string },
): Promise<Uint8Array> {
  if (blob.size > maxBytes) throw tooLarge(location, maxBytes);
  return store.getBlob(repository, blob, { signal, maxBytes });
}

function tooLarge(location: string, maxBytes: number): AppError {
  return claimFault('ERR_SBOM_CLAIM_TOO_LARGE', location, `has more than ${maxBytes} bytes`);
}
