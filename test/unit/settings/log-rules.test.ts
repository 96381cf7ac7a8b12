import { expect } from 'chai';
import { isAppError } from '../../../src/model/errors.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import type { SettingsSources } from '../../../src/settings/resolution.ts';

const objectWith = (spec: unknown): Pick<SettingsSources, 'object'> => ({
  object: {
    apiVersion: 'chainwright.dev/v1alpha1',
    kind: 'ChainwrightConfig',
    metadata: { name: 'default' },
    spec,
  },
});
const signingConfig = { file: '/etc/sigstore/signing_config.json' };
const v2 = { url: 'https://log2026.example', version: 'v2' } as const;
const timestampAuthorities = ['https://tsa.example/api/v1/timestamp'];

function refusalOf(sources: SettingsSources): string {
  try {
    resolveSettings(sources);
    return 'passed';
  } catch (error) {
    if (isAppError(error)) return error.message;
    throw error;
  }
}

const chosenBy = (sources: SettingsSources): readonly string[] =>
  resolveSettings(sources).settings.signingConfig.services;

describe('settings: logs and timestamps', () => {
  it('take Rekor v2 with a timestamp authority, and say that tags are left out', () => {
    const { settings, notices } = resolveSettings(objectWith({ log: v2, timestampAuthorities }));
    expect(settings.log).to.deep.equal({ enabled: true, ...v2, further: [] });
    expect(notices.map(({ name }) => name)).to.deep.equal(['storage.layouts.tags']);
  });

  for (const [what, spec, reason] of [
    ['v2 without a timestamp authority', { log: v2 }, /timestampAuthorities.*does not tell when/s],
    ['v2 as a further log without one', { log: { further: [v2] } }, /timestampAuthorities/],
    [
      'tags alone with v2 alone',
      { log: v2, timestampAuthorities, storage: { layouts: { referrers: false } } },
      /storage\.layouts.*cannot hold its entries/s,
    ],
    ['a log named twice', { log: { ...v2, further: [v2] }, timestampAuthorities }, /named once/],
    [
      'an address beside a signing configuration',
      { log: { url: 'https://rekor.example' }, signingConfig },
      /spec\.log\.url|log\.url.*must not stand beside/s,
    ],
    [
      'a certificate authority beside it',
      { signer: { fulcio: { url: 'https://fulcio.example' } }, signingConfig },
      /signer\.fulcio\.url.*must not stand beside/s,
    ],
    ['a file that is no path', { signingConfig: { file: 'signing_config.json' } }, /absolute path/],
  ] as const) {
    it(`refuse ${what}`, () => {
      expect(refusalOf(objectWith(spec))).to.match(reason);
    });
  }

  it('take tags alone where one log is a Rekor v1', () => {
    const log = { ...v2, further: [{ url: 'https://rekor.example' }] };
    const spec = { log, timestampAuthorities, storage: { layouts: { referrers: false } } };
    expect(refusalOf(objectWith(spec))).to.equal('passed');
    expect(resolveSettings(objectWith(spec)).notices).to.deep.equal([]);
  });

  it('do not mind a log that is switched off', () => {
    expect(refusalOf(objectWith({ log: { ...v2, enabled: false } }))).to.equal('passed');
  });

  it('let the signing configuration choose what no stronger source names', () => {
    const all = ['fulcio', 'log', 'timestampAuthority'];
    expect(chosenBy(objectWith({ signingConfig }))).to.deep.equal(all);
    expect(
      chosenBy({ flags: { signingConfig }, ...objectWith({ log: v2, timestampAuthorities }) }),
    ).to.deep.equal(all);
    expect(
      chosenBy({ ...objectWith({ signingConfig }), chainsConfig: { 'transparency.url': 'https://r' } }),
    ).to.deep.equal(all);
  });

  it('leave out of it what the environment or a flag names', () => {
    const environment = { COSIGN_REKOR_URL: 'https://rekor.golems.internal' };
    const { settings } = resolveSettings({ environment, ...objectWith({ signingConfig }) });
    expect(settings.signingConfig.services).to.deep.equal(['fulcio', 'timestampAuthority']);
    expect(settings.log.url).to.equal('https://rekor.golems.internal');
    const flags = { signer: { fulcio: { url: 'https://fulcio.example' } }, timestampAuthorities };
    expect(chosenBy({ flags, ...objectWith({ signingConfig }) })).to.deep.equal(['log']);
  });

  it('let the signing configuration choose some services only', () => {
    const spec = {
      signingConfig: { ...signingConfig, services: ['log'] },
      signer: { fulcio: { url: 'https://fulcio.example' } },
      timestampAuthorities,
    };
    expect(refusalOf(objectWith(spec))).to.equal('passed');
  });
});
