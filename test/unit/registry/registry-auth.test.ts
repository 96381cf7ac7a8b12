import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { FakeRegistry } from './fake-registry.ts';
import { rejectionOf } from './rejection.ts';
import { pushImage, soon } from './sample-images.ts';
import { TestRegistries } from './test-registries.ts';
import type { Credentials } from '../../../src/registry/credentials.ts';
import type { Repository } from '../../../src/model/image-reference.ts';

const robot: Credentials = { kind: 'basic', username: 'robot$app', password: 'secret' };
const wrong: Credentials = { kind: 'basic', username: 'robot$app', password: 'outdated' };

describe('registry authentication', () => {
  let fake: FakeRegistry;
  let registries: TestRegistries;
  let repository: Repository;
  let now: number;

  beforeEach(async () => {
    now = Date.now();
    fake = await FakeRegistry.start(() => now);
    fake.behaviour.auth = 'bearer';
    registries = new TestRegistries({ ...systemClock, now: () => new Date(now) });
    repository = { registry: fake.host, path: 'team/app' };
  });
  afterEach(async () => {
    await registries.close();
    await fake[Symbol.asyncDispose]();
  });

  const tokenRequests = (): number => fake.log.filter((line) => line.includes('/token')).length;

  it('learns the challenge once and asks one token for each access', async () => {
    const store = registries.store(robot);
    await pushImage(store, repository, 'a', 'v1');
    await store.getManifest(repository, 'v1', { signal: soon() });
    await store.getManifest(repository, 'v1', { signal: soon() });
    expect(tokenRequests()).to.equal(2);
    // Only the two first uploads of the image met a challenge.
    const withoutHeader = fake.seen.filter(
      ({ url, headers }) => url.startsWith('/v2/team') && !headers.authorization,
    );
    expect(withoutHeader).to.have.length(1);
  });

  it('shares a token between stores with the same credentials, and with no others', async () => {
    await pushImage(registries.store(robot), repository, 'a', 'v1');
    fake.clearLog();
    await registries.store(robot).putBlob(repository, Buffer.from('b'), { signal: soon() });
    expect(tokenRequests()).to.equal(0);
    const stranger = registries.store().putBlob(repository, Buffer.from('c'), { signal: soon() });
    expect((await rejectionOf(stranger)).code).to.equal('ERR_REGISTRY_DENIED');
  });

  it('asks for a new token before the old one expires', async () => {
    const store = registries.store(robot);
    await store.putBlob(repository, Buffer.from('a'), { signal: soon() });
    now += 280_000;
    fake.clearLog();
    await store.putBlob(repository, Buffer.from('b'), { signal: soon() });
    expect(fake.log.map((line) => line.split(/[ ?]/)[1])[0]).to.equal('/token');
    expect(tokenRequests()).to.equal(1);
  });

  it('replaces a token that the registry revoked early', async () => {
    const store = registries.store(robot);
    await store.putBlob(repository, Buffer.from('a'), { signal: soon() });
    fake.revokeTokens();
    await store.putBlob(repository, Buffer.from('b'), { signal: soon() });
    expect(fake.blobs.has(`team/app ${digestOf('b')}`)).to.equal(true);
  });

  it('goes on to the next credentials when some are denied', async () => {
    const store = registries.store(wrong, { kind: 'identity-token', token: 'no such' }, robot);
    await pushImage(store, repository, 'a', 'v1');
    expect(fake.manifests.has('team/app v1')).to.equal(true);
  });

  it('skips no credentials when calls at the same time are denied', async () => {
    fake.behaviour.auth = 'basic';
    const store = registries.store(wrong, wrong, robot);
    const texts = Array.from({ length: 8 }, (_, index) => `blob ${index}`);
    await Promise.all(texts.map((text) => store.putBlob(repository, Buffer.from(text), { signal: soon() })));
    expect(fake.blobs.size).to.equal(8);
  });

  it('takes an identity token to the token service by POST', async () => {
    const store = registries.store({ kind: 'identity-token', token: 'refresh-me' });
    await store.putBlob(repository, Buffer.from('a'), { signal: soon() });
    expect(fake.log).to.include('POST /token');
  });

  it('answers a Basic challenge', async () => {
    fake.behaviour.auth = 'basic';
    await pushImage(registries.store(robot), repository, 'a', 'v1');
    expect(fake.manifests.has('team/app v1')).to.equal(true);
  });

  it('refuses with ERR_REGISTRY_DENIED, passing, when no credentials suffice, and tries anew when they are mended', async () => {
    const store = registries.store(robot);
    fake.behaviour.users.set('robot$app', 'rotated');
    const error = await rejectionOf(store.putBlob(repository, Buffer.from('a'), { signal: soon() }));
    expect({ code: error.code, kind: error.kind }).to.deep.equal({
      code: 'ERR_REGISTRY_DENIED',
      kind: 'passing',
    });
    expect(error.message).not.to.include('secret');
    fake.behaviour.users.set('robot$app', 'secret');
    await store.putBlob(repository, Buffer.from('a'), { signal: soon() });
  });

  it('ends with ERR_REGISTRY_DENIED when the registry changes its challenge for ever', async () => {
    let asked = 0;
    fake.behaviour.intercept = ({ url }, response) => {
      if (url === '/v2/') return false;
      asked += 1;
      const realm = `Bearer realm="http://${fake.host}/token",service="s${asked}"`;
      if (!url.startsWith('/token')) response.writeHead(401, { 'www-authenticate': realm }).end();
      return !url.startsWith('/token');
    };
    const error = await rejectionOf(
      registries.store(robot).getManifest(repository, 'v1', { signal: soon() }),
    );
    expect(error.code).to.equal('ERR_REGISTRY_DENIED');
    expect(asked).to.be.below(32);
  });

  it('refuses a token service with credentials in its address with ERR_REGISTRY_ANSWER', async () => {
    fake.behaviour.intercept = ({ url }, response) => {
      if (url === '/v2/') return false;
      response
        .writeHead(401, { 'www-authenticate': 'Bearer realm="https://user@elsewhere.example/token"' })
        .end();
      return true;
    };
    const error = await rejectionOf(
      registries.store(robot).getManifest(repository, 'v1', { signal: soon() }),
    );
    expect(error.code).to.equal('ERR_REGISTRY_ANSWER');
  });

  for (const answer of [
    'not json',
    '{"token":""}',
    '{"token":"a\\nb"}',
    `{"token":"${'x'.repeat(70_000)}"}`,
  ]) {
    it(`refuses the token answer ${answer.slice(0, 20)} with ERR_REGISTRY_ANSWER`, async () => {
      fake.behaviour.intercept = ({ url }, response) => {
        if (url.startsWith('/token')) response.end(answer);
        return url.startsWith('/token');
      };
      const error = await rejectionOf(
        registries.store(robot).getManifest(repository, 'v1', { signal: soon() }),
      );
      expect(error.code).to.equal('ERR_REGISTRY_ANSWER');
    });
  }
});
