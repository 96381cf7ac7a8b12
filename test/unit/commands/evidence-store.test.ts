import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { ScopedStore, parseStoreAddress } from '../../../src/commands/wiring/evidence-store.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { rejectionOf } from '../registry/rejection.ts';
import { pushImage, soon } from '../registry/sample-images.ts';

describe('--store', () => {
  const folders = { 'oci-layout:a/b': 'a/b', './a': 'a', '/a/b': '/a/b', '../a': '../a' };
  for (const [value, folder] of Object.entries(folders)) {
    it(`takes ${value} as an OCI layout folder`, () => {
      expect(parseStoreAddress(value)).to.deep.equal({ kind: 'oci-layout', folder: resolve(folder) });
    });
  }

  const registries = {
    'harbor.golems.internal/golem-trust': 'harbor.golems.internal/golem-trust',
    'harbor.golems.internal': 'harbor.golems.internal',
    'localhost:5000/a': 'localhost:5000/a',
    'localhost/a': 'localhost/a',
    'docker.io/golems': 'index.docker.io/golems',
  };
  for (const [value, prefix] of Object.entries(registries)) {
    it(`takes ${value} as a registry`, () => {
      expect(parseStoreAddress(value)).to.deep.equal({ kind: 'registry', prefix });
    });
  }

  for (const value of [
    '',
    'registry',
    'a/b',
    'oci-layout:',
    'https://h.example/a',
    'h.example/a:1',
    'h.example/A',
    'h.example/',
  ]) {
    it(`refuses "${value}" with ERR_USAGE_STORE`, () => {
      expect(() => parseStoreAddress(value))
        .to.throw()
        .with.property('code', 'ERR_USAGE_STORE');
    });
  }
});

describe('a store of some repositories', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-scoped-'));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('gives and takes what lies at or below a prefix', async () => {
    const store = new ScopedStore(await openLayoutStore(folder, systemClock), ['h.example/a', 'k.example']);
    for (const name of ['h.example/a', 'h.example/a/b', 'k.example/c']) {
      const repository = parseRepository(name);
      const { digest } = await pushImage(store, repository, name, 'v1');
      expect((await store.headManifest(repository, 'v1', { signal: soon() }))?.digest).to.equal(digest);
    }
  });

  it('refuses everything else with ERR_STORE_FOREIGN', async () => {
    const store = new ScopedStore(await openLayoutStore(folder, systemClock), ['h.example/a']);
    for (const name of ['h.example/ab', 'h.example/b', 'k.example/h.example/a']) {
      const reading = store.getManifest(parseRepository(name), 'v1', { signal: soon() });
      expect(await rejectionOf(reading)).to.have.property('code', 'ERR_STORE_FOREIGN');
      const writing = store.putBlob(parseRepository(name), Buffer.from('x'), { signal: soon() });
      expect(await rejectionOf(writing)).to.have.property('code', 'ERR_STORE_FOREIGN');
    }
  });
});
