import type { PushedImage } from './images.ts';
import type { RegistrySession } from './registry-session.ts';

/** One piece of evidence beside an image. */
export interface AttachedEvidence {
  readonly layout: 'tag' | 'referrer';
  readonly kind: 'signature' | 'provenance' | 'sbom' | 'other';
  /** Digest of the layer (tag layout) or of the bundle's manifest. */
  readonly digest: string;
  /** What was signed: the simple-signing payload or the statement. */
  readonly payload: Buffer;
  /** Annotations of the layer (tag layout) or of the bundle's manifest. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Who vouches for it, of a bundle. */
  readonly witnesses?: BundleWitnesses;
}

/** `verificationMaterial` of a bundle, as far as tests read it. */
export interface BundleWitnesses {
  readonly tlogEntries?: readonly {
    readonly logIndex?: string;
    readonly logId: { readonly keyId: string };
    readonly kindVersion: { readonly kind: string; readonly version: string };
    readonly canonicalizedBody: string;
    readonly inclusionProof?: object;
    readonly inclusionPromise?: object;
  }[];
  readonly timestampVerificationData?: { readonly rfc3161Timestamps?: readonly object[] };
}

interface Manifest {
  readonly layers?: readonly ManifestLayer[];
  readonly manifests?: readonly { readonly digest: string; readonly artifactType?: string }[];
  readonly annotations?: Readonly<Record<string, string>>;
}

interface ManifestLayer {
  readonly mediaType: string;
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

const bundleMediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json';

const kinds: Readonly<Record<string, AttachedEvidence['kind']>> = {
  'https://sigstore.dev/cosign/sign/v1': 'signature',
  'https://slsa.dev/provenance/v0.2': 'provenance',
  'https://cyclonedx.org/bom': 'sbom',
};

/** All evidence that lies beside an image or platform manifest, in both layouts; nothing is verified. */
export async function listEvidence(
  session: RegistrySession,
  { repository }: Pick<PushedImage, 'repository'>,
  digest: string,
): Promise<readonly AttachedEvidence[]> {
  return [
    ...(await tagged(session, repository, digest, 'sig')),
    ...(await tagged(session, repository, digest, 'att')),
    ...(await referring(session, repository, digest)),
  ];
}

/** Each piece of evidence as `layout kind`, sorted: what a reader can see. */
export function summarise(evidence: readonly AttachedEvidence[]): readonly string[] {
  return evidence.map(({ layout, kind }) => `${layout} ${kind}`).sort();
}

const inTags = ['tag provenance', 'tag sbom', 'tag signature'] as const;
const asReferrers = ['referrer provenance', 'referrer sbom', 'referrer signature'] as const;

/** What a run leaves beside each image: signature, provenance and SBOM, once in each layout. */
export const completeEvidence = {
  tags: inTags,
  referrers: asReferrers,
  both: [...asReferrers, ...inTags],
  /** What Tekton Chains leaves. */
  chains: ['tag provenance', 'tag signature'],
} as const;

/** The tag of cosign's layout. */
export function evidenceTag(digest: string, suffix: 'sig' | 'att'): string {
  return `${digest.replace(':', '-')}.${suffix}`;
}

async function tagged(
  session: RegistrySession,
  repository: string,
  digest: string,
  suffix: 'sig' | 'att',
): Promise<AttachedEvidence[]> {
  const bytes = await session.findManifest(repository, evidenceTag(digest, suffix));
  if (bytes === undefined) return [];
  const { layers = [] } = parse(bytes) as Manifest;
  return Promise.all(
    layers.map(async ({ digest: layer, annotations = {} }) => {
      const blob = await mustFind(session, repository, layer);
      const payload = suffix === 'sig' ? blob : payloadOf(parse(blob) as Envelope);
      const kind = suffix === 'sig' ? 'signature' : kindOf(payload);
      return { layout: 'tag', kind, digest: layer, payload, annotations } as const;
    }),
  );
}

async function referring(
  session: RegistrySession,
  repository: string,
  digest: string,
): Promise<AttachedEvidence[]> {
  // A registry without the API has an index under the digest's tag instead.
  const bytes =
    (await session.findReferrers(repository, digest)) ??
    (await session.findManifest(repository, digest.replace(':', '-')));
  if (bytes === undefined) return [];
  const { manifests = [] } = parse(bytes) as Manifest;
  const found = await Promise.all(manifests.map(async (one) => bundleOf(session, repository, one.digest)));
  return found.flat();
}

async function bundleOf(
  session: RegistrySession,
  repository: string,
  digest: string,
): Promise<AttachedEvidence[]> {
  const bytes = await session.findManifest(repository, digest);
  if (bytes === undefined) return [];
  const { layers = [], annotations = {} } = parse(bytes) as Manifest;
  const bundles = layers.filter(({ mediaType }) => mediaType === bundleMediaType);
  return Promise.all(
    bundles.map(async (layer) => {
      const bundle = parse(await mustFind(session, repository, layer.digest)) as {
        dsseEnvelope?: Envelope;
        verificationMaterial?: BundleWitnesses;
      };
      const witnesses = bundle.verificationMaterial ?? {};
      const payload = bundle.dsseEnvelope === undefined ? Buffer.alloc(0) : payloadOf(bundle.dsseEnvelope);
      return { layout: 'referrer', kind: kindOf(payload), digest, payload, annotations, witnesses } as const;
    }),
  );
}

interface Envelope {
  readonly payload: string;
}

function payloadOf({ payload }: Envelope): Buffer {
  return Buffer.from(payload, 'base64');
}

function kindOf(payload: Buffer): AttachedEvidence['kind'] {
  if (payload.length === 0) return 'other';
  const { predicateType } = parse(payload) as { predicateType: string };
  return kinds[predicateType] ?? 'other';
}

async function mustFind(session: RegistrySession, repository: string, digest: string): Promise<Buffer> {
  const blob = await session.findBlob(repository, digest);
  if (blob === undefined) throw new Error(`${repository} has no blob ${digest}, though a manifest names it`);
  return blob;
}

function parse(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString('utf8')) as unknown;
}
