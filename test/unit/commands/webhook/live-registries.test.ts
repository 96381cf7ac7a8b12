import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { expect } from 'chai';
import { LiveRegistries } from '../../../../src/commands/webhook/live-registries.ts';
import { resourceTypes } from '../../../../src/kube/resource-type.ts';
import { resolveSettings } from '../../../../src/settings/resolution.ts';
import type { Settings } from '../../../../src/settings/settings-schema.ts';
import { VirtualClock, settle } from '../../kube/virtual-clock.ts';
import { WatchedCluster } from '../../reconcilers/watched-cluster.ts';
import { rejectionOf } from '../../registry/rejection.ts';

const { settings } = resolveSettings({ environment: {} });
const trusting = (registry: Partial<Settings['registries'][number]>): Settings => ({
  ...settings,
  registries: [{ host: 'registry.example', insecure: false, ...registry }],
});
const named = trusting({ ca: { kind: 'ConfigMap', name: 'private-ca', key: 'ca.crt' } });

describe('the way of the webhook to registries', () => {
  let cluster: WatchedCluster;
  let clock: VirtualClock;
  let registries: LiveRegistries;

  const put = (authority: string | undefined): unknown =>
    cluster.put(resourceTypes.configMaps, {
      metadata: { name: 'private-ca', namespace: 'tekton-chains' },
      data: { 'ca.crt': authority },
    });

  beforeEach(async () => {
    cluster = new WatchedCluster();
    clock = new VirtualClock();
    const { signal } = new AbortController();
    const reader = { client: cluster, namespace: 'tekton-chains', signal };
    registries = await LiveRegistries.open({ caFiles: [], reader, clock });
  });
  afterEach(() => registries[Symbol.asyncDispose]());

  it('stays as it is where neither the settings nor an authority changed', async () => {
    put(rootCertificates[0]);
    await registries.use(named);
    const { dispatchers } = registries;
    await registries.use(named);
    expect(registries.dispatchers).to.equal(dispatchers);
  });

  it('is another one by other settings', async () => {
    const { dispatchers } = registries;
    await registries.use(trusting({ insecure: true }));
    expect(registries.dispatchers).to.not.equal(dispatchers);
  });

  it('is another one when an authority was rotated, and the old one is closed once nothing uses it any more', async () => {
    put(rootCertificates[0]);
    await registries.use(named);
    const before = registries.dispatchers.for('registry.example');
    put(rootCertificates[1]);
    await registries.use(named);
    expect(registries.dispatchers.for('registry.example')).to.not.equal(before);
    await clock.advance(119_000);
    expect(before).to.include({ destroyed: false });
    await clock.advance(1000);
    await settle();
    expect(before).to.include({ destroyed: true });
  });

  it('is another one when a file with authorities was rotated', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-live-registries-'));
    const caFile = join(folder, 'ca.crt');
    await writeFile(caFile, rootCertificates[0] ?? '');
    await registries.use(trusting({ caFile }));
    const { dispatchers } = registries;
    await writeFile(caFile, rootCertificates[1] ?? '');
    await registries.use(trusting({ caFile }));
    expect(registries.dispatchers).to.not.equal(dispatchers);
    await rm(folder, { recursive: true });
  });

  it('stays as it is where an authority cannot be read or is none, and says why', async () => {
    put(rootCertificates[0]);
    await registries.use(named);
    const { dispatchers } = registries;
    put('nothing');
    const fault = await rejectionOf(registries.use(named));
    expect(fault.code).to.equal('ERR_SETTINGS_AUTHORITY');
    cluster.remove(resourceTypes.configMaps, { name: 'private-ca', namespace: 'tekton-chains' });
    expect((await rejectionOf(registries.use(named))).message).to.include('private-ca');
    expect(registries.dispatchers).to.equal(dispatchers);
  });
});
