import { expect } from 'chai';
import { appendAttachments } from '../../../src/registry/attachments-by-tag.ts';
import { attachBundle } from '../../../src/registry/attachments-by-referrer.ts';
import { FakeRegistry } from './fake-registry.ts';
import { pushImage, signatureLayer, soon } from './sample-images.ts';
import { TestRegistries } from './test-registries.ts';
import type { Repository } from '../../../src/model/image-reference.ts';
import type { Descriptor } from '../../../src/model/oci.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';

describe('the requests that attaching takes', () => {
  let fake: FakeRegistry;
  let registries: TestRegistries;
  let store: ImageStore;
  let repository: Repository;
  let subject: Descriptor;

  beforeEach(async () => {
    fake = await FakeRegistry.start();
    registries = new TestRegistries();
    store = registries.store();
    repository = { registry: fake.host, path: 'team/app' };
    subject = await pushImage(store, repository, 'content');
    fake.clearLog();
  });
  afterEach(async () => {
    await registries.close();
    await fake[Symbol.asyncDispose]();
  });

  const sign = (...names: string[]) =>
    appendAttachments(
      store,
      { target: { repository, digest: subject.digest }, kind: 'sig' },
      names.map((name) => signatureLayer(`payload ${name}`, name)),
      { signal: soon() },
    );
  const bundle = (text: string) =>
    attachBundle(
      store,
      { repository, subject },
      { bytes: Buffer.from(text), predicateType: 'https://example.org/p', created: new Date(0) },
      { signal: soon() },
    );
  /** Three that are attached at once, as an image's evidence is; each looks first whether its like is there. */
  const bundles = () =>
    Promise.allSettled(
      [1, 2, 3].map((n) =>
        attachBundle(
          store,
          { repository, subject },
          {
            bytes: Buffer.from(`{"n":${n}}`),
            predicateType: `https://example.org/${n}`,
            created: new Date(0),
          },
          { signal: soon(), isSame: () => Promise.resolve(false) },
        ),
      ),
    );
  const listed = async (): Promise<number> =>
    (await store.listReferrers(repository, subject.digest, { signal: soon() })).descriptors.length;
  const methods = (): string => fake.log.map((line) => line.split(' ')[0]).join(' ');

  it('are seven for a signature with a new tag: read, two blobs, write, look', async () => {
    await sign('one');
    expect(methods().split(' ').sort().join(' ')).to.equal('GET HEAD POST POST PUT PUT PUT');
  });

  it('are no more for two layers at once than two for the second blob', async () => {
    await sign('one', 'two');
    expect(fake.log).to.have.length(9);
  });

  it('is one for what is there', async () => {
    await sign('one');
    fake.clearLog();
    await sign('one');
    expect(methods()).to.equal('GET');
  });

  it('are three for a bundle where the registry lists referrers', async () => {
    await bundle('{"n":1}');
    fake.clearLog();
    await bundle('{"n":2}');
    expect(methods()).to.equal('POST PUT PUT');
  });

  it('are six for a bundle where the referrers tag has to be kept', async () => {
    fake.behaviour.referrersApi = false;
    await bundle('{"n":1}');
    fake.clearLog();
    await bundle('{"n":2}');
    expect(methods()).to.equal('POST PUT PUT GET PUT HEAD');
  });

  it('are one look and one listing for three bundles at once where the referrers tag has to be kept', async () => {
    fake.behaviour.referrersApi = false;
    expect(await listed()).to.equal(0);
    fake.clearLog();
    await bundles();
    const listing = ['GET', 'GET', 'PUT', 'HEAD'];
    const config = ['HEAD', 'POST', 'PUT'];
    const each = ['POST', 'PUT', 'PUT'];
    const expected = [...listing, ...config, ...each, ...each, ...each];
    expect(methods().split(' ').sort()).to.deep.equal(expected.sort());
    expect(await listed()).to.equal(3);
  });

  it('list two of three bundles where the registry refuses the third', async () => {
    fake.behaviour.referrersApi = false;
    let puts = 0;
    fake.behaviour.intercept = ({ method, url }, response) => {
      if (method !== 'PUT' || !url.includes('/manifests/sha256:')) return false;
      puts += 1;
      if (puts !== 1) return false;
      response.writeHead(413).end();
      return true;
    };
    const outcomes = await bundles();
    expect(outcomes.filter(({ status }) => status === 'rejected')).to.have.length(1);
    expect(await listed()).to.equal(2);
  });

  it('do not ask for the referrers API again where it is absent', async () => {
    fake.behaviour.referrersApi = false;
    for (let n = 0; n < 3; n += 1) await store.listReferrers(repository, subject.digest, { signal: soon() });
    expect(fake.log.filter((line) => line.includes('/referrers/'))).to.have.length(1);
  });

  it('finds the API of a registry that does not acknowledge a subject', async () => {
    fake.behaviour.statesSubject = false;
    await bundle('{"n":1}');
    expect(
      (await store.listReferrers(repository, subject.digest, { signal: soon() })).descriptors,
    ).to.have.length(1);
    expect([...fake.manifests.keys()].filter((key) => key.includes(' sha256-'))).to.deep.equal([]);
  });
});
