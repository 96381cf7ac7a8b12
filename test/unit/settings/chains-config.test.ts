import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../src/model/errors.ts';
import { chainsKeys } from '../../../src/settings/chains-config-keys.ts';
import { readChainsConfig } from '../../../src/settings/chains-config.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import type { SettingsNotice } from '../../../src/settings/resolution.ts';
import type { Settings } from '../../../src/settings/settings-schema.ts';

// The keys that differ in their default, said as Chainwright has them, so that a test can look at one key alone.
const base = {
  'signers.x509.fulcio.enabled': 'true',
  'transparency.enabled': 'true',
  'artifacts.taskrun.storage': 'oci',
};
const settingsOf = (data: Record<string, string>): Settings =>
  resolveSettings({ chainsConfig: { ...base, ...data } }).settings;
const noticesOf = (data: Record<string, string>): readonly SettingsNotice[] =>
  resolveSettings({ chainsConfig: { ...base, ...data } }).notices;
const refusalOf = (data: Record<string, string>): string => {
  try {
    resolveSettings({ chainsConfig: { ...base, ...data } });
  } catch (error) {
    if (isAppError(error) && error.code === 'ERR_SETTINGS_INVALID') return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('settings: chains-config', () => {
  it('takes what Chains calls by another name', () => {
    const settings = settingsOf({
      'artifacts.taskrun.format': 'in-toto',
      'artifacts.taskrun.storage': 'tekton, oci',
      'artifacts.taskrun.signer': 'x509',
      'artifacts.oci.format': 'simplesigning',
      'artifacts.oci.storage': 'oci',
      'artifacts.oci.signer': 'x509',
      'storage.oci.repository': 'harbor.example/signatures',
      'storage.oci.repository.insecure': 'true',
      'storage.oci.encoding-format': 'dsse',
      'transparency.enabled': 'true',
      'transparency.url': 'https://rekor.example',
      'signers.x509.fulcio.address': 'https://fulcio.example',
      'signers.x509.fulcio.issuer': 'https://issuer.example',
      'signers.x509.fulcio.provider': 'filesystem',
      'signers.x509.identity.token.file': '/var/run/token',
      'builder.id': 'https://tekton.golems.internal/chains/v2',
      'filter.managed-by': 'a, b',
    });
    expect(settings.provenance).to.deep.equal({
      enabled: true,
      format: 'in-toto',
      builderId: 'https://tekton.golems.internal/chains/v2',
      storage: ['tekton', 'oci'],
    });
    expect(settings.storage).to.deep.equal({
      layouts: { tags: true, referrers: false },
      repository: 'harbor.example/signatures',
    });
    expect(settings.registries).to.deep.equal([{ host: '*', insecure: true }]);
    expect(settings.log).to.deep.equal({
      enabled: true,
      url: 'https://rekor.example',
      version: 'v1',
      further: [],
    });
    expect(settings.signer.type).to.equal('keyless');
    expect(settings.signer.fulcio).to.include({
      url: 'https://fulcio.example',
      issuer: 'https://issuer.example',
      identityTokenFile: '/var/run/token',
    });
    expect(settings.controller.managedBy).to.deep.equal(['a', 'b']);
  });

  it('says nothing for an empty ConfigMap and for its _example', () => {
    const { settings, notices } = resolveSettings({ chainsConfig: { _example: 'a: b' } });
    expect(settings).to.deep.equal(resolveSettings({}).settings);
    expect(notices).to.deep.equal([]);
  });

  it("lets Chains' defaults count for absent keys once it is in use, and says so", () => {
    const { settings, notices, origins } = resolveSettings({ chainsConfig: { 'builder.id': 'x' } });
    expect(settings.signer.type).to.equal('key');
    expect(settings.log.enabled).to.equal(false);
    expect(settings.provenance.storage).to.deep.equal(['tekton']);
    expect(origins.get('log.enabled')).to.equal('chains-config');
    expect(notices.map(({ level, name }) => `${level} ${name}`)).to.deep.equal([
      'info signers.x509.fulcio.enabled',
      'info transparency.enabled',
      'info artifacts.taskrun.storage',
    ]);
  });

  it('says nothing of an absent key whose field a stronger source sets', () => {
    const flags = { log: { enabled: true }, signer: { type: 'keyless' as const } };
    const { settings, notices } = resolveSettings({ chainsConfig: { 'builder.id': 'x' }, flags });
    expect(settings.log.enabled).to.equal(true);
    expect(notices.map(({ name }) => name)).to.deep.equal(['artifacts.taskrun.storage']);
  });

  it('switches an artifact off by signer none or an empty storage', () => {
    expect(settingsOf({ 'artifacts.taskrun.signer': 'none' }).provenance.enabled).to.equal(false);
    expect(settingsOf({ 'artifacts.taskrun.storage': '' }).provenance.enabled).to.equal(false);
    expect(settingsOf({ 'artifacts.oci.signer': 'none' }).signature.enabled).to.equal(false);
    expect(settingsOf({ 'artifacts.oci.storage': '' }).signature.enabled).to.equal(false);
    expect(settingsOf({}).signature.enabled).to.equal(true);
  });

  for (const [key, value, words] of [
    ['artifacts.taskrun.format', 'slsa/v2alpha3', 'SLSA provenance v1'],
    ['artifacts.taskrun.format', 'slsa/v2alpha4', 'SLSA provenance v1'],
    ['artifacts.taskrun.format', 'tekton', 'no format that Chains knows'],
    ['artifacts.taskrun.storage', 'oci,gcs', 'storage gcs is not supported yet'],
    ['artifacts.taskrun.storage', 'docdb', 'storage docdb is not supported yet'],
    ['artifacts.taskrun.storage', 'grafeas', 'storage grafeas is not supported yet'],
    ['artifacts.taskrun.storage', 'archivista', 'storage archivista is not supported yet'],
    ['artifacts.taskrun.storage', 'kafka', 'storage kafka is not supported yet'],
    ['artifacts.taskrun.storage', 'pubsub', 'storage pubsub is not supported yet'],
    ['artifacts.taskrun.storage', 'oci,,tekton', 'no storage that Chains knows'],
    ['artifacts.taskrun.signer', 'kms', 'KMS'],
    ['artifacts.taskrun.signer', 'pgp', 'no signer that Chains knows'],
    ['artifacts.oci.signer', 'kms', 'KMS'],
    ['artifacts.oci.format', 'other', 'no format that Chains knows'],
    ['artifacts.oci.storage', 'tekton', 'oci is missing'],
    ['artifacts.oci.storage', 'oci,gcs', 'storage gcs is not supported yet'],
    ['storage.oci.encoding-format', 'other', 'neither dsse nor sigstore-bundle'],
    ['transparency.enabled', 'manual', 'manual'],
    ['signers.x509.fulcio.provider', 'spiffe', 'not from "spiffe"'],
  ] as const) {
    it(`refuses ${key}=${value} in words with ERR_SETTINGS_INVALID`, () => {
      const message = refusalOf({ [key]: value });
      expect(message).to.include(`- ${key} = ${JSON.stringify(value)} (chains-config): `);
      expect(message).to.include(words);
    });
  }

  it('takes a refused value for a warning once a stronger source says what is meant', () => {
    const chainsConfig = { ...base, 'artifacts.taskrun.signer': 'kms' };
    const { settings, notices } = resolveSettings({ chainsConfig, flags: { signer: { type: 'keyless' } } });
    expect(settings.signer.type).to.equal('keyless');
    expect(notices[0]).to.deep.include({ level: 'warning', name: 'artifacts.taskrun.signer' });
  });

  it('names keys of parts that are not here, without their values', () => {
    const names = chainsKeys.filter(({ treatment }) => treatment === 'refused').map(({ key }) => key);
    for (const name of names) {
      const [notice, ...more] = noticesOf({ [name]: 'true' });
      expect(more, name).to.deep.equal([]);
      expect(notice, name).to.deep.include({ level: 'warning', source: 'chains-config', name });
    }
    expect(JSON.stringify(noticesOf({ 'signers.kms.auth.token': 'hunter2' }))).not.to.include('hunter2');
  });

  it('says nothing of PipelineRuns that are switched off', () => {
    expect(
      noticesOf({
        'artifacts.pipelinerun.signer': 'none',
        'artifacts.pipelinerun.storage': '',
        'artifacts.pipelinerun.enable-deep-inspection': 'false',
      }),
    ).to.deep.equal([]);
  });

  it('names unknown keys and what may be meant', () => {
    const [notice] = noticesOf({ 'artifacts.taskrun.Format': 'slsa/v1' });
    expect(notice?.name).to.equal('artifacts.taskrun.Format');
    expect(notice?.message).to.match(/no key that Chains knows.*artifacts\.taskrun\.format may be meant/);
    expect(noticesOf({ 'a.b': 'c' })[0]?.message).not.to.include('meant');
  });

  it('names bad booleans and ignores them, as Chains does', () => {
    const { settings, notices } = resolveSettings({
      chainsConfig: { ...base, 'storage.oci.repository.insecure': 'yes' },
    });
    expect(settings.registries).to.deep.equal([]);
    expect(notices[0]).to.deep.include({ level: 'warning', name: 'storage.oci.repository.insecure' });
    expect(settingsOf({ 'signers.x509.fulcio.enabled': 'F' }).signer.type).to.equal('key');
  });

  it('never shows an unreadable fulcio.enabled as keyless', () => {
    const { settings } = resolveSettings({
      chainsConfig: { ...base, 'signers.x509.fulcio.enabled': 'yes' },
    });
    expect(settings.signer.type).to.equal('key');
  });

  it('reads transparency.enabled as off unless it is exactly true, and names other words', () => {
    expect(settingsOf({ 'transparency.enabled': 'false' }).log.enabled).to.equal(false);
    expect(settingsOf({ 'transparency.enabled': 'TRUE' }).log.enabled).to.equal(false);
    expect(noticesOf({ 'transparency.enabled': 'TRUE' }).map(({ name }) => name)).to.include(
      'transparency.enabled',
    );
  });

  it("does not ask for the issuer of browser logins, Chains' default", () => {
    const issuer = { 'signers.x509.fulcio.issuer': 'https://oauth2.sigstore.dev/auth' };
    expect(settingsOf(issuer).signer.fulcio.issuer).to.equal(undefined);
    expect(noticesOf(issuer)).to.have.lengthOf(1);
  });

  it('passes over no key in silence and throws nothing, whatever the ConfigMap holds', () => {
    const key = fc.oneof(fc.constantFrom(...chainsKeys.map((entry) => entry.key)), fc.string());
    fc.assert(
      fc.property(
        fc.dictionary(key, fc.oneof(fc.string(), fc.constantFrom('true', 'oci', 'kms'))),
        (data) => {
          const { findings } = readChainsConfig(data);
          const known = new Set(chainsKeys.map((entry) => entry.key));
          for (const name of Object.keys(data)) {
            const isKnown = known.has(name) || name === '_example';
            expect(isKnown || findings.some((finding) => finding.key === name)).to.equal(true);
          }
        },
      ),
    );
  });
});
