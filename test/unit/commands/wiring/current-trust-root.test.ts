import { expect } from 'chai';
import { CurrentTrustRoot } from '../../../../src/commands/wiring/trust.ts';
import { silentLog } from '../../../../src/model/log.ts';
import { resolveSettings } from '../../../../src/settings/resolution.ts';
import { systemClock } from '../../../../src/telemetry/system-clock.ts';

const { signal } = new AbortController();
const parts = { clock: systemClock, log: silentLog, signal };
// As Tekton Chains signs by default.
const alone = { 'artifacts.oci.signer': 'x509', 'transparency.enabled': 'false' };

describe('the trust root of who signs', () => {
  it('is none where a key signs and nobody witnesses it, so that nothing is fetched', async () => {
    const { settings } = resolveSettings({ chainsConfig: alone });
    const trust = await CurrentTrustRoot.open(settings, parts);
    expect(trust.latest).to.equal(undefined);
    expect(await trust.current(parts)).to.equal(undefined);
  });

  it('is none either where the key is one that the settings do not know', async () => {
    const { settings } = resolveSettings({ flags: { log: { enabled: false } } });
    expect(settings.signer.type).to.equal('keyless');
    const trust = await CurrentTrustRoot.open(settings, { ...parts, isKeyless: false });
    expect(trust.latest).to.equal(undefined);
  });

  it('is the one that is named all the same', async () => {
    const environment = { COSIGN_TRUSTED_ROOT: '/nowhere/trusted_root.json' };
    const { settings } = resolveSettings({ chainsConfig: alone, environment });
    for (const options of [parts, { ...parts, isKeyless: false }]) {
      const refusal = await CurrentTrustRoot.open(settings, options).catch((error: unknown) => error);
      expect(refusal).to.have.property('code', 'ERR_TRUST_ROOT');
    }
  });
});
