import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { splitDigest } from '../../../src/model/digest.ts';
import { appendAttachments, readAttachments } from '../../../src/registry/attachments-by-tag.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { rejectionOf } from './rejection.ts';
import { pushImage, signatureLayer, soon } from './sample-images.ts';

describe('an OCI layout folder on disk', () => {
  const repository = { registry: 'registry.example:5000', path: 'team/app' };
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'layout-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('has the files of the image layout specification', async () => {
    const store = await openLayoutStore(folder, systemClock);
    const image = await pushImage(store, repository, 'content', 'v1');
    expect((await readdir(folder)).sort()).to.deep.equal(['blobs', 'index.json', 'oci-layout']);
    expect(await readFile(join(folder, 'oci-layout'), 'utf8')).to.equal('{"imageLayoutVersion":"1.0.0"}');
    expect(JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'))).to.deep.include({
      schemaVersion: 2,
      manifests: [
        {
          ...image,
          annotations: { 'org.opencontainers.image.ref.name': 'registry.example:5000/team/app:v1' },
        },
      ],
    });
  });

  it('loses no entry when two processes write at once', async () => {
    const stores = [await openLayoutStore(folder, systemClock), await openLayoutStore(folder, systemClock)];
    const { digest } = await pushImage(stores[0]!, repository, 'content');
    const target = { repository, digest };
    const names = ['0', '1', '2', '3', '4', '5'];
    await Promise.all(
      names.map((name, n) =>
        appendAttachments(stores[n % 2]!, { target, kind: 'sig' }, [signatureLayer('payload', name)], {
          signal: soon(),
        }),
      ),
    );
    const found = await readAttachments(stores[0]!, target, 'sig', { signal: soon() });
    const signatures = found.map(({ annotations }) => annotations['dev.cosignproject.cosign/signature']);
    expect(signatures).to.have.members(names);
  });

  it('takes over the lock of a process that was killed', async () => {
    const store = await openLayoutStore(folder, systemClock);
    const lock = join(folder, 'index.json.lock');
    await writeFile(lock, '');
    const minuteAgo = new Date(Date.now() - 60_000);
    await utimes(lock, minuteAgo, minuteAgo);
    await pushImage(store, repository, 'content', 'v1');
    expect(await readdir(folder)).not.to.include('index.json.lock');
  });

  it('waits for a lock that is held, until the caller’s deadline', async () => {
    const store = await openLayoutStore(folder, systemClock);
    await writeFile(join(folder, 'index.json.lock'), '');
    let ended = false;
    const write = store
      .putManifest(
        repository,
        'v1',
        { bytes: Buffer.from('{}'), mediaType: 'x' },
        { signal: AbortSignal.timeout(150) },
      )
      .finally(() => (ended = true));
    await systemClock.sleep(50, soon());
    expect(ended).to.equal(false);
    await write.then(
      () => expect.fail('it must wait'),
      (error: unknown) => expect(error).to.have.property('name', 'TimeoutError'),
    );
  });

  it('refuses an altered manifest with ERR_REGISTRY_DIGEST_MISMATCH', async () => {
    const store = await openLayoutStore(folder, systemClock);
    const { digest } = await pushImage(store, repository, 'content', 'v1');
    await writeFile(join(folder, 'blobs', 'sha256', splitDigest(digest).hex), '{}');
    for (const reference of ['v1', digest]) {
      const error = await rejectionOf(store.getManifest(repository, reference, { signal: soon() }));
      expect(error.code).to.equal('ERR_REGISTRY_DIGEST_MISMATCH');
    }
  });

  it('refuses a folder of another layout version with ERR_REGISTRY_LAYOUT', async () => {
    await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
    expect((await rejectionOf(openLayoutStore(folder, systemClock))).code).to.equal('ERR_REGISTRY_LAYOUT');
  });

  it('refuses a malformed index.json with ERR_REGISTRY_MANIFEST and leaves it', async () => {
    const store = await openLayoutStore(folder, systemClock);
    await writeFile(join(folder, 'index.json'), '{"schemaVersion":2,"manifests":[{}]}');
    expect((await rejectionOf(pushImage(store, repository, 'content', 'v1'))).code).to.equal(
      'ERR_REGISTRY_MANIFEST',
    );
    expect(await readFile(join(folder, 'index.json'), 'utf8')).to.include('[{}]');
  });

  it('tells the names of two repositories apart', async () => {
    const store = await openLayoutStore(folder, systemClock);
    await pushImage(store, repository, 'content', 'v1');
    const other = { ...repository, path: 'team/other' };
    expect(await store.getManifest(other, 'v1', { signal: soon() })).to.equal(undefined);
  });
});
