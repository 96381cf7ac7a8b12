import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SigningServices } from '../../../src/commands/wiring/signing-services.ts';
import { silentLog } from '../../../src/model/log.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import type { SettingsInput } from '../../../src/settings/settings-schema.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';
import { codeOfRejection } from '../signing/codes.ts';

const { signal } = new AbortController();
const mediaType = 'application/vnd.dev.sigstore.signingconfig.v0.2+json';
const validFor = { start: '2020-01-01T00:00:00Z' };
const service = (url: string, majorApiVersion: number, operator = 'a') => ({
  url,
  majorApiVersion,
  operator,
  validFor,
});
const configOf = (logs: readonly object[], more: object = {}) => ({
  mediaType,
  caUrls: [service('https://fulcio', 1)],
  rekorTlogUrls: logs,
  rekorTlogConfig: { selector: 'ALL' },
  tsaUrls: [service('https://tsa/timestamp', 1)],
  tsaConfig: { selector: 'ANY' },
  ...more,
});

describe('the services to sign with', () => {
  const clock = new VirtualClock();
  let folder: string;
  let file: string;
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => warnings.push(message) };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-services-'));
    file = join(folder, 'signing_config.json');
    warnings.length = 0;
  });
  afterEach(() => rm(folder, { recursive: true }));

  const open = (flags: SettingsInput = { signingConfig: { file } }): SigningServices =>
    new SigningServices({ settings: resolveSettings({ flags }).settings, clock, log });
  const write = (config: object | string): Promise<void> =>
    writeFile(file, typeof config === 'string' ? config : JSON.stringify(config));
  const urlsOf = async (services: SigningServices): Promise<readonly string[]> =>
    (await services.witnesses({ signal })).logs.map(({ url }) => url);

  it('are those that the settings name', async () => {
    const further = [{ url: 'https://log2', version: 'v2' } as const];
    const services = open({ log: { url: 'https://log1', further }, timestampAuthorities: ['https://tsa'] });
    expect(await services.witnesses({ signal })).to.deep.equal({
      logs: [{ url: 'https://log1', version: 'v1' }, ...further],
      timestampAuthorities: ['https://tsa'],
    });
    expect(await services.fulcioUrl({ signal })).to.equal('https://fulcio.sigstore.dev');
    expect(await urlsOf(open({ log: { enabled: false } }))).to.deep.equal([]);
  });

  it('are those that a signing configuration chooses', async () => {
    await write(configOf([service('https://own', 2, 'own'), service('https://public', 2, 'public')]));
    const services = open();
    expect(await services.witnesses({ signal })).to.deep.equal({
      logs: [
        { url: 'https://own', version: 'v2' },
        { url: 'https://public', version: 'v2' },
      ],
      timestampAuthorities: ['https://tsa/timestamp'],
    });
    expect(await services.fulcioUrl({ signal })).to.equal('https://fulcio');
    expect(warnings).to.deep.equal(["cosign's tags are left out: they cannot hold entries of Rekor v2"]);
  });

  it('follow the file, and the last usable one while it is not', async () => {
    await write(configOf([service('https://log2025', 2)]));
    const services = open();
    expect(await urlsOf(services)).to.deep.equal(['https://log2025']);
    await write(configOf([service('https://log2026', 2)]));
    expect(await urlsOf(services), 'at once').to.deep.equal(['https://log2025']);
    await clock.advance(10_000);
    expect(await urlsOf(services), 'later').to.deep.equal(['https://log2026']);
    await write('{');
    warnings.length = 0;
    for (let count = 0; count < 3; count += 1) {
      await clock.advance(10_000);
      expect(await urlsOf(services)).to.deep.equal(['https://log2026']);
    }
    expect(warnings).to.deep.equal(['a file cannot be read again; what it held before counts']);
  });

  it('follow the time', async () => {
    const turn = new Date(clock.now().getTime() + 60_000).toISOString();
    const old = { ...service('https://log2025', 2), validFor: { ...validFor, end: turn } };
    await write(configOf([{ ...service('https://log2026', 2), validFor: { start: turn } }, old]));
    const services = open();
    expect(await urlsOf(services)).to.deep.equal(['https://log2025']);
    await clock.advance(60_000);
    expect(await urlsOf(services)).to.deep.equal(['https://log2026']);
  });

  it('stay the same among equals', async () => {
    const logs = Array.from({ length: 20 }, (_, at) => service(`https://log${at}`, 2, `operator ${at}`));
    await write(configOf(logs, { rekorTlogConfig: { selector: 'EXACT', count: 3 } }));
    const services = open();
    const first = await urlsOf(services);
    expect(new Set(first).size).to.equal(3);
    for (let count = 0; count < 10; count += 1) expect(await urlsOf(services)).to.deep.equal(first);
  });

  it('are refused where they cannot do together, or there are none', async () => {
    const codeFor = async (config: object | string, flags: SettingsInput = {}): Promise<string> => {
      await write(config);
      return codeOfRejection(open({ signingConfig: { file }, ...flags }).witnesses({ signal }));
    };
    const logs = [service('https://log2026', 2)];
    expect(await codeFor(configOf(logs, { tsaUrls: [] }))).to.equal('ERR_SETTINGS_LOG');
    expect(await codeFor(configOf(logs), { storage: { layouts: { referrers: false } } })).to.equal(
      'ERR_SETTINGS_LOG',
    );
    expect(await codeFor(configOf([]))).to.equal('ERR_SIGNING_CONFIG_SERVICE');
    expect(await codeFor('{')).to.equal('ERR_SIGNING_CONFIG');
    await rm(file);
    expect(await codeOfRejection(open().witnesses({ signal }))).to.equal('ERR_SIGNING_CONFIG');
  });
});
