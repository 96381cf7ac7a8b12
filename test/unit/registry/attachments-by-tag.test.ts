import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import { limits } from '../../../src/model/limits.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import {
  appendAttachments,
  attachmentTag,
  readAttachments,
} from '../../../src/registry/attachments-by-tag.ts';
import { FakeRegistry } from './fake-registry.ts';
import { rejectionOf } from './rejection.ts';
import { describeBytes, encode, pushImage, signatureLayer, soon } from './sample-images.ts';
import { TestRegistries } from './test-registries.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import type { AppendOptions, NewAttachment } from '../../../src/registry/attachments-by-tag.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';

describe('attachments by tag', () => {
  let fake: FakeRegistry;
  let registries: TestRegistries;
  let store: ImageStore;
  let target: PinnedImage;

  beforeEach(async () => {
    fake = await FakeRegistry.start();
    registries = new TestRegistries();
    store = registries.store();
    const repository = { registry: fake.host, path: 'team/app' };
    target = { repository, digest: (await pushImage(store, repository, 'content')).digest };
  });
  afterEach(async () => {
    await registries.close();
    await fake[Symbol.asyncDispose]();
  });

  const append = (layer: NewAttachment, isSame?: AppendOptions['isSame'], through = store) =>
    appendAttachments(through, { target, kind: 'sig' }, [layer], {
      signal: soon(),
      ...(isSame === undefined ? {} : { isSame }),
    });
  const signatures = async (): Promise<(string | undefined)[]> =>
    (await readAttachments(store, target, 'sig', { signal: soon() })).map(
      ({ annotations }) => annotations['dev.cosignproject.cosign/signature'],
    );

  it('attaches beside a planted layer with the same payload and another signature', async () => {
    await append(signatureLayer('payload', 'planted'));
    await append(signatureLayer('payload', 'ours'), () => Promise.resolve(false));
    expect(await signatures()).to.deep.equal(['planted', 'ours']);
  });

  it('attaches beside a planted layer with our annotations and more', async () => {
    const ours = signatureLayer('payload', 'ours');
    await append({
      ...ours,
      annotations: { ...ours.annotations, 'dev.sigstore.cosign/certificate': 'theirs' },
    });
    expect((await append(ours)).added).to.deep.equal([true]);
  });

  it('attaches beside a planted layer with our payload and fewer annotations', async () => {
    await append({ ...signatureLayer('payload', 'ours'), annotations: {} });
    expect((await append(signatureLayer('payload', 'ours'))).added).to.deep.equal([true]);
  });

  it('attaches nothing when the caller recognises its own content', async () => {
    await append(signatureLayer('payload', 'of yesterday'));
    const seen: string[] = [];
    const { added } = await append(signatureLayer('payload', 'of today'), async (existing) => {
      seen.push(Buffer.from(await existing.load({ signal: soon() })).toString());
      return true;
    });
    expect({ added, seen }).to.deep.equal({ added: [false], seen: ['payload'] });
  });

  it('is not kept away by a planted layer that cannot be read', async () => {
    const planted = await append(signatureLayer('planted', 'x'));
    expect(planted.added).to.deep.equal([true]);
    fake.blobs.forEach((bytes, key) => {
      if (bytes.toString() === 'planted') fake.blobs.set(key, Buffer.from('altered'));
    });
    const load: AppendOptions['isSame'] = async (existing) => {
      await existing.load({ signal: soon() });
      return true;
    };
    expect((await append(signatureLayer('payload', 'ours'), load)).added).to.deep.equal([true]);
  });

  it('passes on a passing fault of the recognition', async () => {
    await append(signatureLayer('payload', 'x'));
    const fault = new AppError('ERR_REGISTRY_SERVER', 'down', { kind: 'passing' });
    const error = await rejectionOf(append(signatureLayer('payload', 'y'), () => Promise.reject(fault)));
    expect(error.code).to.equal('ERR_REGISTRY_SERVER');
  });

  it('appends again when a writer of another process overwrote the tag', async () => {
    const other = new TestRegistries();
    let interfered = false;
    fake.behaviour.intercept = async ({ method, url }) => {
      // Just before our look after writing, the other one's manifest replaces ours.
      if (interfered || method !== 'HEAD' || !url.endsWith('.sig')) return false;
      interfered = true;
      fake.manifests.delete(`team/app ${attachmentTag(target.digest, 'sig')}`);
      await append(signatureLayer('payload', 'theirs'), undefined, other.store());
      return false;
    };
    await append(signatureLayer('payload', 'ours'));
    await other.close();
    expect(await signatures()).to.deep.equal(['theirs', 'ours']);
  });

  it('reads anew when the registry finds that the tag has changed', async () => {
    fake.behaviour.honoursConditions = true;
    await append(signatureLayer('payload', 'first'));
    const other = new TestRegistries();
    let interfered = false;
    fake.behaviour.intercept = async ({ method, url }) => {
      if (interfered || method !== 'PUT' || !url.endsWith('.sig')) return false;
      interfered = true;
      await append(signatureLayer('payload', 'theirs'), undefined, other.store());
      return false;
    };
    await append(signatureLayer('payload', 'ours'));
    await other.close();
    expect(await signatures()).to.deep.equal(['first', 'theirs', 'ours']);
  });

  it('reads again what the registry fails while another one writes it, and no more than a few times', async () => {
    let failures = 2;
    fake.behaviour.intercept = ({ method, url }, response) => {
      if (method !== 'GET' || !url.endsWith('.sig') || failures === 0) return false;
      failures -= 1;
      response.writeHead(500).end();
      return true;
    };
    await append(signatureLayer('payload', 'ours'));
    expect(await signatures()).to.deep.equal(['ours']);
    failures = 100;
    const error = await rejectionOf(append(signatureLayer('payload', 'another')));
    expect(error.code).to.equal('ERR_REGISTRY_SERVER');
    expect(failures).to.be.within(90, 97);
  });

  it('gives up with ERR_REGISTRY_TAG_CONTENDED when others overwrite it each time', async () => {
    fake.behaviour.intercept = ({ method, url }) => {
      if (method === 'HEAD' && url.endsWith('.sig')) {
        fake.manifests.delete(`team/app ${attachmentTag(target.digest, 'sig')}`);
      }
      return false;
    };
    const quick = new TestRegistries({ now: () => new Date(), sleep: () => Promise.resolve() });
    const error = await rejectionOf(append(signatureLayer('payload', 'ours'), undefined, quick.store()));
    await quick.close();
    expect({ code: error.code, kind: error.kind }).to.deep.equal({
      code: 'ERR_REGISTRY_TAG_CONTENDED',
      kind: 'passing',
    });
  });

  it('refuses more layers than cosign reads with ERR_REGISTRY_ATTACHMENTS_FULL', async () => {
    const layer = { ...describeBytes(Buffer.from('x'), mediaTypes.simpleSigning) };
    const blob = await store.putBlob(target.repository, Buffer.from('x'), { signal: soon() });
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, ...blob },
      layers: Array.from({ length: limits.attachmentLayers }, () => layer),
    };
    const tag = attachmentTag(target.digest, 'sig');
    await store.putManifest(target.repository, tag, encode(manifest), { signal: soon() });
    const error = await rejectionOf(append(signatureLayer('payload', 'ours')));
    expect(error.code).to.equal('ERR_REGISTRY_ATTACHMENTS_FULL');
    expect(await signatures()).to.have.length(limits.attachmentLayers);
  });

  it('asks about at most a bounded number of planted layers', async () => {
    const names = Array.from({ length: 100 }, (_, n) => signatureLayer('payload', `planted ${n}`));
    await appendAttachments(store, { target, kind: 'sig' }, names, { signal: soon() });
    let asked = 0;
    await append(signatureLayer('payload', 'ours'), () => {
      asked += 1;
      return Promise.resolve(false);
    });
    expect(asked).to.equal(64);
  });
});
