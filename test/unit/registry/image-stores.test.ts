import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { FakeRegistry } from './fake-registry.ts';
import { describeImageStore } from './image-store-contract.ts';
import { TestRegistries } from './test-registries.ts';

describe('an OCI layout folder', () => {
  let folder: string;
  afterEach(() => rm(folder, { recursive: true }));

  describeImageStore(async () => {
    folder = await mkdtemp(join(tmpdir(), 'layout-'));
    const store = await openLayoutStore(join(folder, 'store'), systemClock);
    return { store, repository: { registry: 'registry.example', path: 'team/app' } };
  });
});

for (const referrersApi of [true, false]) {
  describe(`a registry ${referrersApi ? 'with' : 'without'} the referrers API`, () => {
    let fake: FakeRegistry;
    let registries: TestRegistries;
    afterEach(async () => {
      await registries.close();
      await fake[Symbol.asyncDispose]();
    });

    describeImageStore(async () => {
      fake = await FakeRegistry.start();
      fake.behaviour.referrersApi = referrersApi;
      registries = new TestRegistries();
      return { store: registries.store(), repository: { registry: fake.host, path: 'team/app' } };
    });
  });
}
