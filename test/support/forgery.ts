import { evidenceTag } from './attached-evidence.ts';
import { sha256 } from './images.ts';
import type { PushedImage } from './images.ts';
import type { RegistrySession } from './registry-session.ts';

const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
} as const;

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly [field: string]: unknown;
}

interface Manifest {
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly [field: string]: unknown;
}

interface Index {
  readonly manifests: readonly Descriptor[];
  readonly [field: string]: unknown;
}

interface Envelope {
  readonly payload: string;
  readonly [field: string]: unknown;
}

/** Hangs the evidence of one image, in whichever layout it is, onto another of the same repository. */
export async function moveEvidence(
  session: RegistrySession,
  from: PushedImage,
  to: PushedImage,
): Promise<void> {
  const { repository } = from;
  for (const suffix of ['sig', 'att'] as const) {
    const bytes = await session.findManifest(repository, evidenceTag(from.digest, suffix));
    if (bytes === undefined) continue;
    await session.putManifest(repository, bytes, mediaTypes.manifest, evidenceTag(to.digest, suffix));
  }
  await rewriteBundles(session, from, to, (manifest) => Promise.resolve(manifest));
}

/** Changes the statement in the attestation under `tag`, and leaves its signature as it is. */
export async function forgeAttestation(
  session: RegistrySession,
  { repository }: PushedImage,
  tag: string,
): Promise<void> {
  const manifest = parse(await must(session.findManifest(repository, tag))) as Manifest;
  const layers = await Promise.all(
    manifest.layers.map(async (layer) => {
      const envelope = parse(await must(session.findBlob(repository, layer.digest))) as Envelope;
      return put(session, repository, layer, forge(envelope));
    }),
  );
  await session.putManifest(repository, json({ ...manifest, layers }), mediaTypes.manifest, tag);
}

/** Changes the statements in the bundles of an image, and leaves their signatures as they are. */
export async function forgeBundle(session: RegistrySession, image: PushedImage): Promise<void> {
  await rewriteBundles(session, image, image, async (manifest) => {
    const layers = await Promise.all(
      manifest.layers.map(async (layer) => {
        const bundle = parse(await must(session.findBlob(image.repository, layer.digest))) as {
          dsseEnvelope: Envelope;
        };
        return put(session, image.repository, layer, { ...bundle, dsseEnvelope: forge(bundle.dsseEnvelope) });
      }),
    );
    return { ...manifest, layers };
  });
}

// In a registry without the referrers API: the index under the digest's tag is the list.
async function rewriteBundles(
  session: RegistrySession,
  from: PushedImage,
  to: PushedImage,
  change: (manifest: Manifest) => Promise<Manifest>,
): Promise<void> {
  const { repository } = from;
  const bytes = await session.findManifest(repository, from.digest.replace(':', '-'));
  if (bytes === undefined) return;
  const image = await must(session.findManifest(repository, to.digest));
  const index = parse(bytes) as Index;
  const manifests: Descriptor[] = [];
  for (const listed of index.manifests) {
    const manifest = parse(await must(session.findManifest(repository, listed.digest))) as Manifest;
    const subject = { mediaType: mediaTypes.manifest, digest: to.digest, size: image.length };
    const changed = json({ ...(await change(manifest)), subject });
    const digest = await session.putManifest(repository, changed, mediaTypes.manifest);
    manifests.push({ ...listed, digest, size: changed.length });
  }
  const tag = to.digest.replace(':', '-');
  await session.putManifest(repository, json({ ...index, manifests }), mediaTypes.index, tag);
}

// A builder that the image never saw; the length may change, since nothing but the signature holds it.
function forge(envelope: Envelope): Envelope {
  const statement = Buffer.from(envelope.payload, 'base64').toString('utf8');
  const forged = statement.replace(/"(sha256|id|name)":\s*"/, '"$1":"forged-');
  return { ...envelope, payload: Buffer.from(forged).toString('base64') };
}

async function put(
  session: RegistrySession,
  repository: string,
  layer: Descriptor,
  content: unknown,
): Promise<Descriptor> {
  const bytes = json(content);
  await session.putBlob(repository, bytes);
  return { ...layer, digest: sha256(bytes), size: bytes.length };
}

async function must(reading: Promise<Buffer | undefined>): Promise<Buffer> {
  const bytes = await reading;
  if (bytes === undefined) throw new Error('there is nothing to forge');
  return bytes;
}

function parse(bytes: Buffer): unknown {
  return JSON.parse(bytes.toString('utf8')) as unknown;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
