import { expect } from 'chai';
import { trustRootCheck } from '../../../../src/commands/doctor/checks/trust-root.ts';
import type { SigningParts } from '../../../../src/commands/doctor/examination.ts';
import { resolveSettings } from '../../../../src/settings/resolution.ts';
import { systemClock } from '../../../../src/telemetry/system-clock.ts';

const { signal } = new AbortController();

describe('doctor’s look at the trust root', () => {
  const look = async (chainsConfig: Readonly<Record<string, string>>): Promise<readonly string[]> => {
    const { settings } = resolveSettings({ chainsConfig });
    const parts = { settings, trust: {}, clock: systemClock, signal } as unknown as SigningParts;
    if (trustRootCheck.needs !== 'settings') throw new Error('it needs settings');
    return (await trustRootCheck.look(parts)).map(({ id }) => id);
  };

  it('misses none where a key signs and nobody is told of it', async () => {
    expect(await look({ 'artifacts.oci.signer': 'x509', 'transparency.enabled': 'false' })).to.deep.equal([]);
  });

  it('misses one where a log is told', async () => {
    const log = { 'transparency.enabled': 'true', 'transparency.url': 'https://rekor.golems.internal' };
    expect(await look({ 'artifacts.oci.signer': 'x509', ...log })).to.deep.equal(['trust-root-missing']);
  });
});
