import { expect } from 'chai';
import { isAppError } from '../../../src/model/errors.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import type { SettingsSources } from '../../../src/settings/resolution.ts';

const objectWith = (spec: unknown): unknown => ({
  apiVersion: 'chainwright.dev/v1alpha1',
  kind: 'ChainwrightConfig',
  metadata: { name: 'default', resourceVersion: '7' },
  spec,
});

const refusalOf = (sources: SettingsSources): readonly string[] => {
  try {
    resolveSettings(sources);
  } catch (error) {
    if (!isAppError(error)) throw error;
    expect(error.code).to.equal('ERR_SETTINGS_INVALID');
    expect(error.kind).to.equal('permanent');
    return error.message.split('\n').slice(1);
  }
  throw new Error('nothing was refused');
};

describe('settings: resolution', () => {
  it('gives the defaults where nobody says anything', () => {
    const { settings, origins, notices } = resolveSettings({});
    expect(settings.provenance).to.deep.equal({
      enabled: true,
      format: 'slsa/v1',
      builderId: 'https://tekton.dev/chains/v2',
      storage: ['oci'],
    });
    expect(settings.signer.type).to.equal('keyless');
    expect(settings.signer.fulcio).to.deep.equal({
      url: 'https://fulcio.sigstore.dev',
      identityTokenFile: '/var/run/sigstore/cosign/oidc-token',
      audience: 'sigstore',
    });
    expect(settings.log).to.deep.equal({
      enabled: true,
      url: 'https://rekor.sigstore.dev',
      version: 'v1',
      further: [],
    });
    expect(settings.storage).to.deep.equal({ layouts: { tags: true, referrers: true } });
    expect(settings.controller.retry).to.deep.equal({ baseMs: 2000, maxMs: 3_600_000 });
    expect(origins.size).to.equal(0);
    expect(notices).to.deep.equal([]);
  });

  it('gives the defaults of the webhook, durations in milliseconds', () => {
    const { settings } = resolveSettings({});
    expect(settings.webhook).to.deep.equal({
      address: ':8443',
      timeoutMs: 10_000,
      resolveTags: true,
      unchangedImages: 'admit',
      cache: { entries: 4096, admittedForMs: 3_600_000, deniedForMs: 10_000 },
      policyResyncMs: 36_000_000,
      trustRootResyncMs: 86_400_000,
    });
    expect(settings.trustedRoot).to.deep.equal({});
  });

  it('sends nothing to Graylog unless an address is given, by object or environment', () => {
    expect(resolveSettings({}).settings.telemetry.gelf).to.equal(undefined);
    const environment = { CHAINWRIGHT_GELF_ADDRESS: 'udp://[::1]:12201' };
    const defaults = { host: 'kyverno-admission', only: 'decisions', compression: 'gzip' };
    expect(resolveSettings({ environment }).settings.telemetry.gelf).to.deep.equal({
      address: 'udp://[::1]:12201',
      ...defaults,
    });
    const object = objectWith({
      telemetry: { gelf: { address: 'tls://graylog.example:12201', caFile: '/etc/ca.crt', only: 'all' } },
    });
    expect(resolveSettings({ object }).settings.telemetry.gelf).to.deep.equal({
      address: 'tls://graylog.example:12201',
      ...defaults,
      only: 'all',
      caFile: '/etc/ca.crt',
    });
  });

  it('refuses what Graylog cannot be reached by with ERR_SETTINGS_INVALID', () => {
    const refusals = (gelf: unknown): string =>
      refusalOf({ object: objectWith({ telemetry: { gelf } }) }).join('\n');
    expect(refusals({ address: 'graylog.example:12201' })).to.include('must be udp://HOST:PORT');
    expect(refusals({ address: 'udp://a.example:1', caFile: '/etc/ca.crt' })).to.include(
      'has a caFile without a tls:// address',
    );
    expect(refusals({ host: 'x' })).to.include('spec.telemetry.gelf.address');
  });

  it('refuses a webhook timeout that Kubernetes does not know with ERR_SETTINGS_INVALID', () => {
    expect(refusalOf({ object: objectWith({ webhook: { timeout: '31s' } }) })).to.deep.equal([
      '- spec.webhook.timeout = "31s" (object): must lie between 2s and 30s',
    ]);
  });

  it('freezes the settings to their depth', () => {
    const { settings } = resolveSettings({ object: objectWith({ registries: [{ host: 'a.example' }] }) });
    const parts = [settings, settings.signer.fulcio, settings.registries, settings.registries[0]];
    expect(parts.every((part) => Object.isFrozen(part))).to.equal(true);
  });

  it('lets flag win over environment over object over chains-config, value by value', () => {
    const chainsConfig = {
      'transparency.url': 'https://chains.example',
      'transparency.enabled': 'true',
      'builder.id': 'chains',
    };
    const object = objectWith({
      log: { url: 'https://object.example' },
      provenance: { builderId: 'object' },
      telemetry: { logLevel: 'warn' },
    });
    const environment = { COSIGN_REKOR_URL: 'https://environment.example', CHAINWRIGHT_LOG_LEVEL: 'error' };
    const flags = { telemetry: { logLevel: 'debug' as const } };
    const builderOf = (sources: SettingsSources): string =>
      resolveSettings(sources).settings.provenance.builderId;
    expect(builderOf({ chainsConfig })).to.equal('chains');
    expect(builderOf({ chainsConfig, object })).to.equal('object');

    const { settings, origins } = resolveSettings({ chainsConfig, object, environment, flags });
    expect(settings.log.url).to.equal('https://environment.example');
    expect(settings.telemetry.logLevel).to.equal('debug');
    expect(Object.fromEntries(origins)).to.include({
      'log.url': 'environment',
      'log.enabled': 'chains-config',
      'provenance.builderId': 'object',
      'telemetry.logLevel': 'flag',
    });
    expect(origins.has('signer.fulcio.url')).to.equal(false);
  });

  it('takes COSIGN_REKOR_URL before REKOR_SERVER, and an empty variable for nothing', () => {
    const urlOf = (environment: Record<string, string>): string =>
      resolveSettings({ environment }).settings.log.url;
    const REKOR_SERVER = 'https://second.example';
    expect(urlOf({ REKOR_SERVER, COSIGN_REKOR_URL: 'https://first.example' })).to.equal(
      'https://first.example',
    );
    expect(urlOf({ REKOR_SERVER, COSIGN_REKOR_URL: '' })).to.equal(REKOR_SERVER);
  });

  it('takes a flag that is undefined for absent', () => {
    const flags = { log: { url: undefined } };
    expect(resolveSettings({ flags }).settings.log.url).to.equal('https://rekor.sigstore.dev');
  });

  it('drops the slash at the end of an address', () => {
    const { settings } = resolveSettings({ environment: { REKOR_SERVER: 'https://rekor.example/api/' } });
    expect(settings.log.url).to.equal('https://rekor.example/api');
  });

  it('replaces lists and the key whole', () => {
    const object = objectWith({
      registries: [{ host: 'a.example' }, { host: 'b.example' }],
      signer: { type: 'key', key: { secret: { namespace: 'ns', name: 'keys' } } },
    });
    const flags = { registries: [{ host: 'c.example' }], signer: { key: { file: '/key.pem' } } };
    const { settings } = resolveSettings({ object, flags });
    expect(settings.registries).to.deep.equal([{ host: 'c.example', insecure: false }]);
    expect(settings.signer.key).to.deep.equal({ file: '/key.pem' });
  });

  it("falls back to Chains' Secret where no key is named", () => {
    const { settings } = resolveSettings({ flags: { signer: { type: 'key' } } });
    expect(settings.signer.key).to.deep.equal({
      secret: { namespace: 'tekton-chains', name: 'signing-secrets' },
    });
  });

  it('reports every fault of every source with its name, value and rule as ERR_SETTINGS_INVALID', () => {
    const lines = refusalOf({
      chainsConfig: { 'filter.managed-by': 'a,,b', 'transparency.url': 'nowhere' },
      object: objectWith({
        log: { urll: 1 },
        signer: { type: 'kms' },
        registries: [{ host: 'a b' }],
        controller: { concurrency: 0, retry: { base: '2 s', max: '25h' } },
      }),
      environment: { COSIGN_FULCIO_URL: 'ftp://x' },
      flags: { provenance: { builderId: '' } },
    });
    expect(lines).to.have.lengthOf(10);
    const named = (start: string): string => lines.find((line) => line.startsWith(start)) ?? lines.join('\n');
    expect(named('- spec.log.urll = 1 (object)')).to.match(/unknown field$/);
    expect(named('- spec.signer.type = "kms" (object)')).to.match(/must be one of keyless, key, none$/);
    expect(named('- spec.registries[0].host = "a b" (object)')).to.match(/must be HOST, HOST:PORT or \*$/);
    expect(named('- spec.controller.concurrency = 0 (object)')).to.match(/at least 1$/);
    expect(named('- spec.controller.retry.base = "2 s" (object)')).to.match(/must be a duration/);
    expect(named('- spec.controller.retry.max = "25h" (object)')).to.match(/between 1s and 24h$/);
    expect(named('- COSIGN_FULCIO_URL = "ftp://x" (environment)')).to.match(/must be an http or https/);
    expect(named('- provenance.builderId = "" (flag)')).to.match(/at least 1$/);
    expect(named('- transparency.url = "nowhere" (chains-config)')).to.match(/must be an http or https/);
    expect(named('- filter.managed-by = "a,,b" (chains-config)')).to.match(/empty item/);
  });

  it('refuses another kind, version or name with ERR_SETTINGS_INVALID, and faults of its spec besides', () => {
    const lines = refusalOf({
      object: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'mine' },
        spec: { log: 1 },
        data: {},
      },
    });
    expect(lines.map((line) => line.split(' ')[1])).to.have.members([
      'apiVersion',
      'kind',
      'metadata.name',
      'data',
      'spec.log',
    ]);
    expect(refusalOf({ object: 'text' })[0]).to.match(/^- the object = "text" \(object\): must be a object/);
    expect(refusalOf({ object: null })[0]).to.match(/^- the object/);
  });

  it('refuses contradictions that only show when all is put together with ERR_SETTINGS_INVALID', () => {
    const [line, ...more] = refusalOf({
      object: objectWith({ storage: { layouts: { tags: false } }, controller: { retry: { base: '5m' } } }),
      flags: {
        storage: { layouts: { referrers: false } },
        controller: { retry: { max: '1m' } },
        registries: [{ host: 'a.example' }, { host: 'a.example' }],
      },
    });
    expect(line).to.match(/^- controller\.retry = .*\(flag\): base must not be longer than max$/);
    expect(more[0]).to.match(/^- storage\.layouts = .*\(flag\): tags and referrers must not both be off$/);
    expect(more[1]).to.match(/^- registries = "a\.example" \(flag\)/);
  });

  it('refuses a key that is named twice with ERR_SETTINGS_INVALID', () => {
    const [line] = refusalOf({
      object: objectWith({ signer: { key: { file: '/k', secret: { namespace: 'a', name: 'b' } } } }),
    });
    expect(line).to.match(/^- spec\.signer\.key = .*names both a file and a Secret$/);
  });

  it('never repeats a password that stands in an address', () => {
    const [line] = refusalOf({ environment: { REKOR_SERVER: 'https://user:hunter2@rekor.example' } });
    expect(line).to.match(/^- REKOR_SERVER = "https:\/\/\*\*\*@rekor\.example"/);
    expect(line).not.to.include('hunter2');
  });

  it('warns of what weakens signing', () => {
    const { notices } = resolveSettings({
      object: objectWith({ log: { enabled: false }, registries: [{ host: '*', insecure: true }] }),
      flags: {},
    });
    expect(notices.map(({ level, source, name }) => [level, source, name])).to.deep.equal([
      ['warning', 'object', 'log.enabled'],
      ['warning', 'object', 'registries'],
    ]);
    expect(resolveSettings({ flags: { signer: { type: 'none' } } }).notices[0]?.message).to.equal(
      'nothing is signed',
    );
  });

  it('does not let a source reach the prototype of objects', () => {
    const spec = JSON.parse(
      '{"__proto__": {"polluted": true}, "log": {"__proto__": {"polluted": true}}}',
    ) as unknown;
    refusalOf({ object: objectWith(spec) });
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
  });
});
