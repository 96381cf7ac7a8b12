import { expect } from 'chai';
import { attestBuild } from '../../../src/attestation/attest-build.ts';
import { limits } from '../../../src/model/limits.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { Descriptor } from '../../../src/model/oci.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { attachBundle } from '../../../src/registry/attachments-by-referrer.ts';
import { appendAttachments, attachmentTag } from '../../../src/registry/attachments-by-tag.ts';
import { describeBytes, encode, soon, unknownDigest } from '../registry/sample-images.ts';
import { attest as attestElsewhere } from '../signing/signed-evidence.ts';
import { imageResults, jobOf, planOf, pushApp } from './builds.ts';
import { World, openSigstore } from './world.ts';
import type { Sigstore } from './world.ts';

const config = Buffer.from('{}');
const complete = ['referrer statement', 'referrer statement', 'tag simple-signing', 'tag statement'];

/** A manifest with these layers, whether or not anybody holds their blobs. */
function manifestOf(layers: readonly Descriptor[], subject?: Descriptor) {
  return encode({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: mediaTypes.sigstoreBundle,
    config: describeBytes(config, mediaTypes.emptyConfig),
    layers,
    ...(subject === undefined ? {} : { subject }),
  });
}

describe('evidence that somebody planted', () => {
  let sigstore: Sigstore;
  let world: World;
  let image: PinnedImage;
  before(async () => {
    sigstore = await openSigstore();
  });
  after(() => sigstore[Symbol.asyncDispose]());
  beforeEach(async () => {
    world = await World.open(sigstore);
    image = await pushApp(world.store);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  async function attest(): Promise<readonly string[]> {
    const { parts, store } = world.startProcess();
    const planned = await planOf(imageResults(image), world.store);
    const { faults } = await attestBuild(jobOf(planned, store), parts, { signal: soon() });
    return faults.map(({ code }) => code);
  }

  async function held(): Promise<readonly string[]> {
    return (await world.readHeld(image)).map(({ layout, form }) => `${layout} ${form}`).sort();
  }

  async function subject(): Promise<Descriptor> {
    const descriptor = await world.store.headManifest(image.repository, image.digest, { signal: soon() });
    return descriptor ?? expect.fail('the image is not there');
  }

  /** What a tenant with push rights may leave beside an image. */
  const plants: Record<string, () => Promise<void>> = {
    'our payloads under a stranger’s signature': async () => {
      const planned = await planOf(imageResults(image), world.store);
      const { parts, store } = world.startProcess();
      await attestBuild(
        jobOf(planned, store),
        { ...parts, signer: sigstore.stranger.signer },
        { signal: soon() },
      );
      world.objects.objects.clear();
    },
    'attestations of other content': async () => {
      const { layer, bundle } = await attestElsewhere(sigstore.stranger);
      const { mediaType, content, annotations } = layer;
      await appendAttachments(
        world.store,
        { target: image, kind: 'att' },
        [{ mediaType, bytes: content, annotations }],
        { signal: soon() },
      );
      await attachBundle(
        world.store,
        { repository: image.repository, subject: await subject() },
        { bytes: bundle.bytes, predicateType: 'https://slsa.dev/provenance/v0.2', created: new Date(0) },
        { signal: soon() },
      );
    },
    'layers and bundles whose blobs are missing': async () => {
      const layer = (mediaType: string): Descriptor => ({ mediaType, digest: unknownDigest, size: 10 });
      for (const [kind, mediaType] of [
        ['sig', mediaTypes.simpleSigning],
        ['att', mediaTypes.dsseEnvelope],
      ] as const) {
        const tag = attachmentTag(image.digest, kind);
        await world.store.putManifest(image.repository, tag, manifestOf([layer(mediaType)]), {
          signal: soon(),
        });
      }
      const bundle = manifestOf([layer(mediaTypes.sigstoreBundle)], await subject());
      await world.store.putReferrer(image.repository, bundle, { signal: soon() });
    },
    'layers and bundles that claim to be huge': async () => {
      const size = limits.envelopeBytes + 1;
      const layer = (mediaType: string): Descriptor => ({ mediaType, digest: unknownDigest, size });
      const tag = attachmentTag(image.digest, 'att');
      await world.store.putManifest(image.repository, tag, manifestOf([layer(mediaTypes.dsseEnvelope)]), {
        signal: soon(),
      });
      const bundle = manifestOf([layer(mediaTypes.sigstoreBundle)], await subject());
      await world.store.putReferrer(image.repository, bundle, { signal: soon() });
    },
    'layers and bundles that are no JSON': async () => {
      const bytes = Buffer.from('{"payload":');
      await world.store.putBlob(image.repository, bytes, { signal: soon() });
      const annotations = { 'dev.sigstore.cosign/bundle': '{', 'dev.cosignproject.cosign/signature': '!' };
      for (const kind of ['sig', 'att'] as const) {
        const mediaType = kind === 'sig' ? mediaTypes.simpleSigning : mediaTypes.dsseEnvelope;
        await appendAttachments(world.store, { target: image, kind }, [{ mediaType, bytes, annotations }], {
          signal: soon(),
        });
      }
      await attachBundle(
        world.store,
        { repository: image.repository, subject: await subject() },
        { bytes, predicateType: 'https://slsa.dev/provenance/v0.2', created: new Date(0) },
        { signal: soon() },
      );
    },
  };

  for (const [what, plant] of Object.entries(plants)) {
    it(`neither counts as ours nor keeps ours away on the first try: ${what}`, async () => {
      await plant();
      expect(await held()).to.deep.equal([]);
      expect(await attest()).to.deep.equal([]);
      expect(await held()).to.deep.equal(complete);
    });

    it(`does not keep a later try from finding ours: ${what}`, async () => {
      expect(await attest()).to.deep.equal([]);
      const { objects } = world.objects;
      const records = [...objects];
      await plant();
      for (const [key, record] of records) objects.set(key, record);
      const entries = world.logIndices.size;
      expect(await attest()).to.deep.equal([]);
      expect(await held()).to.deep.equal(complete);
      // Two of them replace a whole tag, which is signed anew.
      if (!/huge|missing/.test(what)) expect(world.logIndices.size).to.equal(entries);
    });
  }
});
