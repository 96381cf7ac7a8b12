import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { limits } from '../../../src/model/limits.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import { FakeRegistry } from './fake-registry.ts';
import { rejectionOf } from './rejection.ts';
import { encode, indexOf, pushImage, soon } from './sample-images.ts';
import { TestRegistries } from './test-registries.ts';
import type { Repository } from '../../../src/model/image-reference.ts';
import type { Descriptor } from '../../../src/model/oci.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import type { FakeBehaviour } from './fake-registry.ts';

describe('a registry that misbehaves', () => {
  let fake: FakeRegistry;
  let registries: TestRegistries;
  let store: ImageStore;
  let repository: Repository;
  let image: Descriptor;

  beforeEach(async () => {
    fake = await FakeRegistry.start();
    registries = new TestRegistries();
    store = registries.store();
    repository = { registry: fake.host, path: 'team/app' };
    image = await pushImage(store, repository, 'content', 'v1');
    fake.clearLog();
  });
  afterEach(async () => {
    await registries.close();
    await fake[Symbol.asyncDispose]();
  });

  /** Lets `intercept` answer everything below a path. */
  const answerWith = (part: string, answer: FakeBehaviour['intercept']): void => {
    fake.behaviour.intercept = (request, response) => request.url.includes(part) && answer(request, response);
  };
  const readV1 = () => store.getManifest(repository, 'v1', { signal: soon() });

  it('is throttling: ERR_REGISTRY_THROTTLED, passing, with the pause that it asks for', async () => {
    answerWith('/manifests/', (_, response) => {
      response.writeHead(429, { 'retry-after': '7' }).end();
      return true;
    });
    const { code, kind, retryAfterMs } = await rejectionOf(readV1());
    expect({ code, kind, retryAfterMs }).to.deep.equal({
      code: 'ERR_REGISTRY_THROTTLED',
      kind: 'passing',
      retryAfterMs: 7000,
    });
  });

  for (const [status, code, kind] of [
    [500, 'ERR_REGISTRY_SERVER', 'passing'],
    [503, 'ERR_REGISTRY_SERVER', 'passing'],
    [403, 'ERR_REGISTRY_DENIED', 'passing'],
    [413, 'ERR_REGISTRY_REFUSED', 'permanent'],
    [204, 'ERR_REGISTRY_ANSWER', 'passing'],
  ] as const) {
    it(`answers ${status}: ${code}, ${kind}, with the registry’s own reason`, async () => {
      answerWith('/manifests/', (_, response) => {
        response
          .writeHead(status)
          .end(JSON.stringify({ errors: [{ code: 'QUOTA', message: 'project\n is full' }] }));
        return true;
      });
      const error = await rejectionOf(readV1());
      expect({ code: error.code, kind: error.kind }).to.deep.equal({ code, kind });
      if (status !== 204) expect(error.message).to.include('QUOTA project  is full');
    });
  }

  it('gives other bytes for a digest: ERR_REGISTRY_DIGEST_MISMATCH', async () => {
    fake.manifests.set(`team/app ${image.digest}`, {
      bytes: Buffer.from('{}'),
      mediaType: mediaTypes.ociManifest,
    });
    const asked = store.getManifest(repository, image.digest, { signal: soon() });
    expect((await rejectionOf(asked)).code).to.equal('ERR_REGISTRY_DIGEST_MISMATCH');
  });

  it('states another digest for a tag than its bytes have: ERR_REGISTRY_DIGEST_MISMATCH', async () => {
    answerWith('/manifests/v1', (_, response) => {
      response.writeHead(200, {
        'docker-content-digest': digestOf('x'),
        'content-type': mediaTypes.ociManifest,
      });
      response.end('{}');
      return true;
    });
    expect((await rejectionOf(readV1())).code).to.equal('ERR_REGISTRY_DIGEST_MISMATCH');
  });

  it('gives a manifest without end: ERR_REGISTRY_TOO_LARGE', async () => {
    answerWith('/manifests/', (_, response) => {
      response.on('error', () => undefined);
      response.writeHead(200);
      for (let size = 0; size <= limits.manifestBytes; size += 65_536)
        response.write(Buffer.alloc(65_536, 32));
      return true;
    });
    expect((await rejectionOf(readV1())).code).to.equal('ERR_REGISTRY_TOO_LARGE');
  });

  it('breaks off in a blob: a passing fault, and no bytes are taken for whole', async () => {
    const { digest, size } = await store.putBlob(repository, Buffer.alloc(1000, 'x'), { signal: soon() });
    answerWith(`/blobs/${digest}`, (_, response) => {
      response
        .writeHead(200, { 'content-length': size })
        .write(Buffer.alloc(10, 'x'), () => response.destroy());
      return true;
    });
    const error = await rejectionOf(
      store.getBlob(repository, { digest, size }, { signal: soon(), maxBytes: 1000 }),
    );
    expect(error.kind).to.equal('passing');
  });

  it('gives other bytes for a blob: ERR_REGISTRY_DIGEST_MISMATCH', async () => {
    const blob = await store.putBlob(repository, Buffer.from('right'), { signal: soon() });
    fake.blobs.set(`team/app ${blob.digest}`, Buffer.from('wrong'));
    const error = await rejectionOf(store.getBlob(repository, blob, { signal: soon(), maxBytes: 100 }));
    expect(error.code).to.equal('ERR_REGISTRY_DIGEST_MISMATCH');
  });

  it('does not answer: the caller’s deadline ends the call', async () => {
    answerWith('/manifests/', () => true);
    const error = await rejectionOf(
      store.getManifest(repository, 'v1', { signal: AbortSignal.timeout(100) }),
    );
    expect({ code: error.code, kind: error.kind }).to.deep.equal({
      code: 'ERR_REGISTRY_UNREACHABLE',
      kind: 'passing',
    });
  });

  it('is not there: ERR_REGISTRY_UNREACHABLE, passing', async () => {
    await fake[Symbol.asyncDispose]();
    const other = new TestRegistries();
    const error = await rejectionOf(other.store().getManifest(repository, 'v1', { signal: soon() }));
    await other.close();
    expect({ code: error.code, kind: error.kind }).to.deep.equal({
      code: 'ERR_REGISTRY_UNREACHABLE',
      kind: 'passing',
    });
  });

  it('lost a blob that it held: the next try uploads it again', async () => {
    const bytes = Buffer.from('{"os":"linux"}');
    fake.blobs.delete(`team/app ${digestOf(bytes)}`);
    const error = await rejectionOf(pushImage(store, repository, 'content', 'v2'));
    expect({ code: error.code, kind: error.kind }).to.deep.equal({
      code: 'ERR_REGISTRY_REFUSED',
      kind: 'passing',
    });
    await pushImage(store, repository, 'content', 'v2');
  });

  describe('redirects', () => {
    let elsewhere: FakeRegistry;
    beforeEach(async () => {
      elsewhere = await FakeRegistry.start();
    });
    afterEach(() => elsewhere[Symbol.asyncDispose]());

    it('are followed for a blob, without the credentials of the registry', async () => {
      fake.behaviour.auth = 'basic';
      const own = registries.store({ kind: 'basic', username: 'robot$app', password: 'secret' });
      const blob = await own.putBlob(repository, Buffer.from('far away'), { signal: soon() });
      answerWith(`/blobs/${blob.digest}`, ({ headers }, response) => {
        if (headers.authorization === undefined) return false;
        response.writeHead(307, { location: `http://${elsewhere.host}/object` }).end();
        return true;
      });
      elsewhere.behaviour.intercept = (_, response) => {
        response.end('far away');
        return true;
      };
      const bytes = await own.getBlob(repository, blob, { signal: soon(), maxBytes: 100 });
      expect(Buffer.from(bytes).toString()).to.equal('far away');
      expect(elsewhere.seen.map(({ headers }) => headers.authorization)).to.deep.equal([undefined]);
    });

    it('without end are refused with ERR_REGISTRY_ANSWER', async () => {
      answerWith('/manifests/', ({ url }, response) => {
        response.writeHead(302, { location: url }).end();
        return true;
      });
      expect((await rejectionOf(readV1())).code).to.equal('ERR_REGISTRY_ANSWER');
      expect(fake.log).to.have.length(6);
    });

    for (const location of [
      'http://registry.example/object',
      'ftp://127.0.0.1/object',
      'https://user@127.0.0.1/',
    ]) {
      it(`to ${location} are refused with ERR_REGISTRY_ANSWER`, async () => {
        answerWith('/manifests/', (_, response) => {
          response.writeHead(302, { location }).end();
          return true;
        });
        expect((await rejectionOf(readV1())).code).to.equal('ERR_REGISTRY_ANSWER');
      });
    }
  });

  describe('a hostile list of referrers', () => {
    const listing = (answer: (url: string) => { body: string; link?: string }): void => {
      answerWith('/referrers/', ({ url }, response) => {
        const { body, link } = answer(url);
        const headers = { 'content-type': mediaTypes.ociIndex, ...(link === undefined ? {} : { link }) };
        response.writeHead(200, headers).end(body);
        return true;
      });
    };
    const list = () => store.listReferrers(repository, image.digest, { signal: soon() });
    const entry = (n: number): Descriptor => ({
      mediaType: mediaTypes.ociManifest,
      size: 1,
      digest: digestOf(`${n}`),
    });
    const page = (from: number, count: number): string =>
      Buffer.from(indexOf(Array.from({ length: count }, (_, n) => entry(from + n))).bytes).toString();

    it('with pages without end is cut', async () => {
      let pages = 0;
      listing((url) => {
        pages += 1;
        return { body: page(pages, 1), link: `<${url}>; rel="next"` };
      });
      const { truncated } = await list();
      expect(truncated).to.equal(true);
      expect(pages).to.be.at.most(64);
    });

    it('with more entries than we take is cut', async () => {
      listing(() => ({ body: page(0, limits.referrers + 5) }));
      const { descriptors, truncated } = await list();
      expect({ count: descriptors.length, truncated }).to.deep.equal({
        count: limits.referrers,
        truncated: true,
      });
    });

    it('with a further page elsewhere is refused with ERR_REGISTRY_ANSWER', async () => {
      listing(() => ({ body: page(0, 1), link: '<http://127.0.0.1:1/v2/x>; rel="next"' }));
      expect((await rejectionOf(list())).code).to.equal('ERR_REGISTRY_ANSWER');
    });

    for (const body of ['[]', '{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x"}]}', 'nonsense']) {
      it(`that is ${body.slice(0, 24)} is refused with ERR_REGISTRY_MANIFEST`, async () => {
        listing(() => ({ body }));
        expect((await rejectionOf(list())).code).to.equal('ERR_REGISTRY_MANIFEST');
      });
    }

    it('in honest pages is read to the end', async () => {
      fake.behaviour.referrersPageSize = 2;
      for (let n = 0; n < 5; n += 1) {
        const config = await store.putBlob(repository, Buffer.from('{}'), { signal: soon() });
        const manifest = {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: { mediaType: mediaTypes.emptyConfig, ...config },
          layers: [],
          subject: image,
          annotations: { n: `${n}` },
        };
        await store.putReferrer(repository, encode(manifest), { signal: soon() });
      }
      expect((await list()).descriptors).to.have.length(5);
    });
  });
});
