import { rootCertificates } from 'node:tls';
import { expect } from 'chai';
import { LiveRegistries } from '../../../../src/commands/webhook/live-registries.ts';
import type { ClusterReader } from '../../../../src/commands/wiring/registry-access.ts';
import { resolveSettings } from '../../../../src/settings/resolution.ts';
import type { Settings } from '../../../../src/settings/settings-schema.ts';
import { VirtualClock } from '../../kube/virtual-clock.ts';

describe('LiveRegistries', () => {
  it('reaches registries by settings that changed while it was opened', async () => {
    const { settings } = resolveSettings({ environment: {} });
    const trusting = (name: string): Settings => {
      const ca = { kind: 'ConfigMap' as const, name, key: 'ca.crt' };
      return { ...settings, registries: [{ host: 'registry.example', ca, insecure: false }] };
    };
    const asked: string[] = [];
    const live = {
      current: trusting('first'),
      onChange: (): void => undefined,
    };
    const client: ClusterReader['client'] = {
      get: (_type, { namespace = '', name }) => {
        asked.push(name);
        if (name === 'first') live.current = trusting('second');
        const data = { 'ca.crt': rootCertificates[0] };
        return Promise.resolve({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data });
      },
    };
    const { signal } = new AbortController();
    const reader = { client, namespace: 'tekton-chains', signal };
    await using _ = await LiveRegistries.open(live, { caFiles: [], reader, clock: new VirtualClock() });
    expect(asked).to.deep.equal(['first', 'second']);
  });
});
