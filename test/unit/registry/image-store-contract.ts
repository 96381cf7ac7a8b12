import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import {
  appendAttachments,
  attachmentTag,
  readAttachments,
} from '../../../src/registry/attachments-by-tag.ts';
import { attachBundle, listBundles } from '../../../src/registry/attachments-by-referrer.ts';
import { isImageIndex } from '../../../src/registry/manifest-parser.ts';
import { rejectionOf } from './rejection.ts';
import {
  describeBytes,
  encode,
  indexOf,
  pushImage,
  signatureLayer,
  soon,
  unknownDigest,
} from './sample-images.ts';
import type { Repository } from '../../../src/model/image-reference.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';

/** A store under test and a repository in it that is the test's own. */
interface ContractSubject {
  readonly store: ImageStore;
  readonly repository: Repository;
}

/** What every image store does, be it a real registry, the fake one or a folder. */
// eslint-disable-next-line mocha/no-exports -- a suite that several test files run against their store
export function describeImageStore(open: () => Promise<ContractSubject>): void {
  let store: ImageStore;
  let repository: Repository;

  beforeEach(async () => {
    ({ store, repository } = await open());
  });

  describe('manifests', () => {
    it('gives a pushed manifest by tag and by digest', async () => {
      const image = await pushImage(store, repository, randomUUID(), 'v1');
      for (const reference of ['v1', image.digest]) {
        const found = await store.getManifest(repository, reference, { signal: soon() });
        expect(found?.descriptor).to.deep.equal(image);
        expect(await store.headManifest(repository, reference, { signal: soon() })).to.deep.equal(image);
      }
    });

    it('gives undefined for a manifest that is absent', async () => {
      await pushImage(store, repository, 'a');
      for (const reference of ['none', unknownDigest]) {
        expect(await store.getManifest(repository, reference, { signal: soon() })).to.equal(undefined);
        expect(await store.headManifest(repository, reference, { signal: soon() })).to.equal(undefined);
      }
    });

    it('keeps an image index as it was pushed', async () => {
      const platform = { os: 'linux', architecture: 'amd64' };
      const image = { ...(await pushImage(store, repository, 'a')), platform };
      const index = indexOf([image]);
      const digest = await store.putManifest(repository, 'multi', index, { signal: soon() });
      const found = await store.getManifest(repository, digest, { signal: soon() });
      expect(found?.descriptor.mediaType).to.equal(mediaTypes.ociIndex);
      expect(found !== undefined && isImageIndex(found.manifest) && found.manifest.manifests).to.deep.equal([
        image,
      ]);
    });
  });

  describe('blobs', () => {
    it('gives back what was stored, as a stream and as a whole', async () => {
      const bytes = Buffer.alloc(300_000, randomUUID());
      const blob = await store.putBlob(repository, bytes, { signal: soon() });
      expect(blob).to.deep.equal({ digest: digestOf(bytes), size: bytes.byteLength });
      const whole = await store.getBlob(repository, blob, { signal: soon(), maxBytes: 300_000 });
      expect(Buffer.compare(whole, bytes)).to.equal(0);
      const chunks: Uint8Array[] = [];
      for await (const chunk of await store.openBlob(repository, blob, { signal: soon() }))
        chunks.push(chunk);
      expect(Buffer.compare(Buffer.concat(chunks), bytes)).to.equal(0);
    });

    it('tells the size of a blob of which the digest is known', async () => {
      const blob = await store.putBlob(repository, Buffer.from('eight by'), { signal: soon() });
      expect(await store.headBlob(repository, blob.digest, { signal: soon() })).to.deep.equal(blob);
      expect(await store.headBlob(repository, unknownDigest, { signal: soon() })).to.equal(undefined);
    });

    it('takes the same blob twice', async () => {
      const bytes = Buffer.from(randomUUID());
      const first = await store.putBlob(repository, bytes, { signal: soon() });
      expect(await store.putBlob(repository, bytes, { signal: soon(), likelyPresent: true })).to.deep.equal(
        first,
      );
    });

    it('refuses a blob above the bound with ERR_REGISTRY_TOO_LARGE', async () => {
      const blob = await store.putBlob(repository, Buffer.from('too long'), { signal: soon() });
      const error = await rejectionOf(store.getBlob(repository, blob, { signal: soon(), maxBytes: 7 }));
      expect(error.code).to.equal('ERR_REGISTRY_TOO_LARGE');
    });

    it('refuses a blob of another size with ERR_REGISTRY_DIGEST_MISMATCH', async () => {
      const blob = await store.putBlob(repository, Buffer.from('eight by'), { signal: soon() });
      for (const size of [7, 9]) {
        const asked = store.getBlob(repository, { ...blob, size }, { signal: soon(), maxBytes: 100 });
        expect((await rejectionOf(asked)).code).to.equal('ERR_REGISTRY_DIGEST_MISMATCH');
      }
    });

    it('tells of a blob that is absent with ERR_REGISTRY_BLOB_ABSENT', async () => {
      await pushImage(store, repository, 'a');
      const blob = { digest: unknownDigest, size: 3 };
      const error = await rejectionOf(store.getBlob(repository, blob, { signal: soon(), maxBytes: 100 }));
      expect(error.code).to.equal('ERR_REGISTRY_BLOB_ABSENT');
      expect(error.kind).to.equal('passing');
    });
  });

  describe('attachments by tag', () => {
    it('gives back what was attached, in order', async () => {
      const { digest } = await pushImage(store, repository, randomUUID());
      const target = { repository, digest };
      const layers = [signatureLayer('payload', 'one'), signatureLayer('payload', 'two')];
      for (const layer of layers) {
        const { added } = await appendAttachments(store, { target, kind: 'sig' }, [layer], {
          signal: soon(),
        });
        expect(added).to.deep.equal([true]);
      }
      const found = await readAttachments(store, target, 'sig', { signal: soon() });
      expect(found.map(({ annotations }) => annotations)).to.deep.equal(
        layers.map(({ annotations }) => annotations),
      );
      const loaded = await found[1]!.load({ signal: soon() });
      expect(Buffer.from(loaded).toString()).to.equal('payload');
      expect(await readAttachments(store, target, 'att', { signal: soon() })).to.deep.equal([]);
    });

    it('does not attach the same layer twice', async () => {
      const { digest } = await pushImage(store, repository, randomUUID());
      const target = { repository, digest };
      const layers = [signatureLayer('payload', 'one')];
      const first = await appendAttachments(store, { target, kind: 'sig' }, layers, { signal: soon() });
      const second = await appendAttachments(store, { target, kind: 'sig' }, layers, { signal: soon() });
      expect(second).to.deep.equal({ ref: first.ref, added: [false] });
    });

    it('loses no layer when one process appends many at once', async () => {
      const { digest } = await pushImage(store, repository, randomUUID());
      const target = { repository, digest };
      const names = Array.from({ length: 8 }, (_, index) => `signature ${index}`);
      await Promise.all(
        names.map((name) =>
          appendAttachments(store, { target, kind: 'sig' }, [signatureLayer('payload', name)], {
            signal: soon(),
          }),
        ),
      );
      const found = await readAttachments(store, target, 'sig', { signal: soon() });
      const signatures = found.map(({ annotations }) => annotations['dev.cosignproject.cosign/signature']);
      expect(signatures).to.have.members(names);
    });

    it('refuses a tag that holds an index with ERR_REGISTRY_TAG_FOREIGN', async () => {
      const image = await pushImage(store, repository, randomUUID());
      const tag = attachmentTag(image.digest, 'sig');
      await store.putManifest(repository, tag, indexOf([image]), { signal: soon() });
      const target = { repository, digest: image.digest };
      const error = await rejectionOf(readAttachments(store, target, 'sig', { signal: soon() }));
      expect(error.code).to.equal('ERR_REGISTRY_TAG_FOREIGN');
    });
  });

  describe('referrers', () => {
    const bundle = (text: string) => ({
      bytes: Buffer.from(text),
      predicateType: 'https://slsa.dev/provenance/v0.2',
      created: new Date('2026-11-22T10:00:00.123Z'),
    });

    it('lists a bundle that was attached, and loads it', async () => {
      const subject = await pushImage(store, repository, randomUUID());
      const { ref, added } = await attachBundle(store, { repository, subject }, bundle('{"a":1}'), {
        signal: soon(),
      });
      const image = { repository, digest: subject.digest };
      const { candidates, truncated } = await listBundles(store, image, { signal: soon() });
      expect({ added, truncated, count: candidates.length }).to.deep.equal({
        added: true,
        truncated: false,
        count: 1,
      });
      expect(ref.endsWith(candidates[0]!.descriptor.digest)).to.equal(true);
      const loaded = await candidates[0]!.load({ signal: soon() });
      expect(Buffer.from(loaded!).toString()).to.equal('{"a":1}');
    });

    it('gives the same manifest for the same bundle', async () => {
      const subject = await pushImage(store, repository, randomUUID());
      const first = await attachBundle(store, { repository, subject }, bundle('{"a":1}'), { signal: soon() });
      const second = await attachBundle(store, { repository, subject }, bundle('{"a":1}'), {
        signal: soon(),
      });
      expect(second.ref).to.equal(first.ref);
      const listed = await store.listReferrers(repository, subject.digest, { signal: soon() });
      expect(listed.descriptors).to.have.length(1);
    });

    it('loses no referrer when one process attaches many at once', async () => {
      const subject = await pushImage(store, repository, randomUUID());
      const texts = Array.from({ length: 6 }, (_, index) => `{"n":${index}}`);
      const place = { repository, subject };
      await Promise.all(texts.map((text) => attachBundle(store, place, bundle(text), { signal: soon() })));
      const image = { repository, digest: subject.digest };
      const { candidates } = await listBundles(store, image, { signal: soon() });
      const loaded = await Promise.all(candidates.map((candidate) => candidate.load({ signal: soon() })));
      expect(loaded.map((bytes) => Buffer.from(bytes ?? []).toString())).to.have.members(texts);
    });

    it('lists nothing for an image that nothing refers to', async () => {
      const { digest } = await pushImage(store, repository, randomUUID());
      const listed = await store.listReferrers(repository, digest, { signal: soon() });
      expect(listed).to.deep.equal({ descriptors: [], truncated: false });
    });

    it('takes no referrer for a bundle that is none', async () => {
      const subject = await pushImage(store, repository, randomUUID());
      const bytes = Buffer.from('{}');
      await store.putBlob(repository, bytes, { signal: soon() });
      const planted = {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType: mediaTypes.sigstoreBundle,
        config: describeBytes(bytes, mediaTypes.emptyConfig),
        layers: [describeBytes(bytes, 'text/plain')],
        subject,
      };
      await store.putReferrer(repository, encode(planted), { signal: soon() });
      const { candidates } = await listBundles(
        store,
        { repository, digest: subject.digest },
        { signal: soon() },
      );
      expect(await candidates[0]!.load({ signal: soon() })).to.equal(undefined);
    });
  });
}
