import { expect } from 'chai';
import { chooseServices, parseSigningConfig } from '../../../src/signing/service-choice.ts';
import type { ServiceSelection } from '../../../src/signing/signing-config.ts';
import { codeOf } from './codes.ts';

interface WrittenService {
  readonly url: string;
  readonly majorApiVersion?: number;
  readonly validFor?: { readonly start?: string; readonly end?: string };
  readonly operator?: string;
}

const mediaType = 'application/vnd.dev.sigstore.signingconfig.v0.2+json';
const at = new Date('2026-06-01T00:00:00Z');
const all: ServiceSelection = { selector: 'ALL' };

function configOf(rekorTlogUrls: readonly WrittenService[], further: object = {}) {
  const document = { mediaType, rekorTlogUrls, rekorTlogConfig: { selector: 'ANY' }, ...further };
  return parseSigningConfig(JSON.stringify(document), 'signing_config.json');
}

function chosen(
  written: readonly WrittenService[],
  selection: ServiceSelection = all,
  { now = at, lot = 0, versions = [2, 1] } = {},
): readonly string[] {
  const { rekorTlogUrls } = configOf(written);
  const choice = { versions, selection, at: now, random: () => lot };
  return chooseServices(rekorTlogUrls, choice).map(({ url }) => new URL(url).hostname);
}

const log = (name: string, start: string, rest: Partial<WrittenService> & { readonly end?: string } = {}) => {
  const { end, ...others } = rest;
  const validFor = { start, ...(end === undefined ? {} : { end }) };
  return { url: `https://${name}`, majorApiVersion: 2, operator: 'sigstore.dev', validFor, ...others };
};

describe('a signing configuration', () => {
  it('is read as written', () => {
    const tsaUrls = [{ url: 'https://tsa/api/v1/timestamp', majorApiVersion: 1, operator: 'a' }];
    const tsaConfig = { selector: 'EXACT', count: 1 };
    const config = configOf([log('rekor', '2025-01-01T00:00:00.5Z')], { tsaUrls, tsaConfig });
    expect(config.tsaUrls).to.deep.equal(tsaUrls);
    expect(config.tsaConfig).to.deep.equal(tsaConfig);
    expect(config.rekorTlogUrls).to.have.lengthOf(1);
  });

  for (const [what, text] of [
    ['what is no JSON', '{'],
    ['another version', JSON.stringify({ mediaType: mediaType.replace('v0.2', 'v0.1') })],
    [
      'an address that is none',
      JSON.stringify({ mediaType, caUrls: [{ url: 'file:///etc/passwd', majorApiVersion: 1 }] }),
    ],
    ['what has members that nobody knows', JSON.stringify({ mediaType, future: true })],
    ['what has a member twice', `{"mediaType":"${mediaType}","mediaType":"${mediaType}"}`],
    ['an unknown selector', JSON.stringify({ mediaType, rekorTlogConfig: { selector: 'SOME' } })],
    ['a date that is none', JSON.stringify({ mediaType, caUrls: [log('x', 'yesterday')] })],
    ['what is too large', JSON.stringify({ mediaType, padding: 'x'.repeat(1024 * 1024) })],
  ] as const) {
    it(`is not ${what}`, () => {
      expect(codeOf(() => parseSigningConfig(text, 'file'))).to.equal('ERR_SIGNING_CONFIG');
    });
  }
});

describe('choosing services', () => {
  const shards = [
    log('log2025', '2025-01-01T00:00:00Z', { end: '2026-03-01T00:00:00Z' }),
    log('log2026', '2026-02-01T00:00:00Z'),
    log('log2027', '2027-01-01T00:00:00Z'),
  ];

  it('takes the newest of an operator that is valid now, the edges included', () => {
    const on = (now: string) => chosen(shards, all, { now: new Date(now) });
    expect(on('2025-06-01T00:00:00Z')).to.deep.equal(['log2025']);
    expect(on('2026-02-01T00:00:00Z')).to.deep.equal(['log2026']);
    expect(on('2027-01-01T00:00:00Z')).to.deep.equal(['log2027']);
    expect(chosen(shards.slice(0, 1), all, { now: new Date('2026-03-01T00:00:00Z') })).to.have.lengthOf(1);
  });

  it('takes the highest API version that is spoken, and none of the lower ones', () => {
    const old = log('v1', '2026-05-01T00:00:00Z', { majorApiVersion: 1, operator: 'other' });
    const next = log('v3', '2026-05-01T00:00:00Z', { majorApiVersion: 3 });
    expect(chosen([old, next, ...shards])).to.deep.equal(['log2026']);
    expect(chosen([old, next])).to.deep.equal(['v1']);
    expect(chosen([old, ...shards], all, { versions: [1] })).to.deep.equal(['v1']);
  });

  it('takes one of each operator: all, any, or an exact number of them', () => {
    const several = [...shards, log('own', '2020-01-01T00:00:00Z', { operator: 'golems.internal' })];
    expect(chosen(several)).to.have.members(['log2026', 'own']);
    expect(chosen(several, { selector: 'ANY' }, { lot: 0 })).to.deep.equal(['log2026']);
    expect(chosen(several, { selector: 'ANY' }, { lot: 0.99 })).to.deep.equal(['own']);
    expect(chosen(several, { selector: 'EXACT', count: 2 }, { lot: 0.99 })).to.have.members([
      'log2026',
      'own',
    ]);
  });

  it('fails where there are too few, and may succeed later', () => {
    const code = (selection: ServiceSelection, now = at) => codeOf(() => chosen(shards, selection, { now }));
    expect(code({ selector: 'EXACT', count: 2 })).to.equal('ERR_SIGNING_CONFIG_SERVICE');
    expect(code({ selector: 'EXACT', count: 0 })).to.equal('ERR_SIGNING_CONFIG_SERVICE');
    expect(code(all, new Date('2024-01-01T00:00:00Z'))).to.equal('ERR_SIGNING_CONFIG_SERVICE');
    expect(code({})).to.equal('ERR_SIGNING_CONFIG_SERVICE');
  });
});
