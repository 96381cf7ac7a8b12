import type { SigningKey } from '../model/signature.ts';
import { attachBundle } from '../registry/attachments-by-referrer.ts';
import { appendAttachments } from '../registry/attachments-by-tag.ts';
import type { NewAttachment } from '../registry/attachments-by-tag.ts';
import type { ImageStore } from '../registry/image-store.ts';
import { encodeCosignAnnotations } from '../statements/cosign-annotations.ts';
import { encodeEnvelope } from '../statements/dsse.ts';
import { encodeBundle } from '../statements/sigstore-bundle.ts';
import { noteFault } from './artifact-progress.ts';
import type { SignedProgress } from './artifact-progress.ts';
import type { AttestationParts } from './attestation-parts.ts';
import { attachmentKindOf, destinationKey, layerMediaTypeOf } from './planned-artifact.ts';
import type { Destination } from './planned-artifact.ts';
import type { SignedArtifact } from './signed-artifact.ts';

/** What storing needs besides the artifacts. */
export interface StoreOptions {
  readonly parts: Pick<AttestationParts, 'evidence' | 'metrics'>;
  readonly key: SigningKey;
  /** Creation time that referrers state. */
  readonly completedAt: Date;
  readonly signal: AbortSignal;
}

/** One artifact on its way to one destination. */
interface Delivery extends SignedProgress {
  readonly destination: Destination;
}

/**
 * Puts each signed artifact where it is missing. What goes under one tag goes there in one write. A fault is noted with
 * the artifacts that it concerns and leaves the others alone.
 */
export async function storeEvidence(
  signed: readonly SignedProgress[],
  store: ImageStore,
  options: StoreOptions,
): Promise<void> {
  const deliveries = signed.flatMap((item) =>
    item.progress.missing.map((destination): Delivery => ({ ...item, destination })),
  );
  const byTag = Map.groupBy(
    deliveries.filter(({ destination }) => destination.layout === 'tag'),
    ({ artifact, destination }) =>
      `${attachmentKindOf(artifact.planned.form)}/${destinationKey(destination)}`,
  );
  const byReferrer = deliveries.filter(({ destination }) => destination.layout === 'referrer');
  await Promise.all([
    ...[...byTag.values()].map((group) => guarded(group, () => storeUnderTag(group, store, options))),
    ...byReferrer.map((delivery) => guarded([delivery], () => storeAsReferrer(delivery, store, options))),
  ]);
}

async function guarded(group: readonly Delivery[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    for (const { progress } of group) noteFault(progress, error);
  }
}

async function storeUnderTag(
  group: readonly Delivery[],
  store: ImageStore,
  { parts, key, signal }: StoreOptions,
): Promise<void> {
  const [first] = group;
  if (first === undefined) return;
  const { image, repository } = first.destination;
  const layers = group.map(({ artifact }) => toLayer(artifact));
  const payloads = new Map(
    layers.map((layer, index) => [layer, group[index]?.artifact.planned.payloadDigest]),
  );
  const { ref, added } = await appendAttachments(
    store,
    { target: { repository, digest: image.digest }, kind: attachmentKindOf(first.artifact.planned.form) },
    layers,
    {
      signal,
      isSame: async ({ descriptor, annotations, load }, mine) => {
        // An envelope of another predicate cannot be ours; that spares fetching it.
        if (annotations['predicateType'] !== mine.annotations['predicateType']) return false;
        const content = await load({ signal });
        const { mediaType } = descriptor;
        const found = parts.evidence.verify({ layout: 'tag', mediaType, content, annotations }, key);
        return found !== undefined && found.payloadDigest === payloads.get(mine);
      },
    },
  );
  for (const [index, { progress, destination }] of group.entries()) {
    progress.noteStored(destination, ref);
    if (added[index] === true) parts.metrics.pushed('tag', progress.planned.kind);
  }
}

async function storeAsReferrer(
  { progress, artifact, destination }: Delivery,
  store: ImageStore,
  { parts, key, completedAt, signal }: StoreOptions,
): Promise<void> {
  const { image, repository } = destination;
  const { planned } = artifact;
  const { ref, added } = await attachBundle(
    store,
    { repository, subject: image.descriptor },
    { bytes: toBundle(artifact), predicateType: planned.predicateType ?? '', created: completedAt },
    {
      signal,
      isSame: (bytes) =>
        Promise.resolve(
          parts.evidence.verify({ layout: 'bundle', bytes }, key)?.payloadDigest === planned.payloadDigest,
        ),
    },
  );
  progress.noteStored(destination, ref);
  if (added) parts.metrics.pushed('referrer', planned.kind);
}

function toLayer({ planned, key, signature, envelope, testimony }: SignedArtifact): NewAttachment {
  // A layer has room for one entry, with the log's promise, and for one timestamp.
  const logged = testimony.entries.find(({ entry }) => entry.inclusionPromise !== undefined);
  const [timestamp] = testimony.timestamps;
  return {
    mediaType: layerMediaTypeOf(planned.form),
    bytes: envelope === undefined ? planned.payload : encodeEnvelope(envelope),
    annotations: encodeCosignAnnotations({
      ...(envelope === undefined ? { signature } : {}),
      material: key.material,
      ...(logged === undefined ? {} : { entry: logged.entry }),
      ...(timestamp === undefined ? {} : { timestamp: timestamp.der }),
      ...(planned.predicateType === undefined ? {} : { predicateType: planned.predicateType }),
    }),
  };
}

function toBundle({ key, envelope, testimony, planned }: SignedArtifact): Uint8Array {
  if (envelope === undefined) throw new Error(`a bundle of ${planned.subject} needs an envelope`);
  return encodeBundle({
    envelope,
    material: key.material,
    entries: testimony.entries.map(({ entry }) => entry),
    timestamps: testimony.timestamps.map(({ der }) => der),
  });
}
