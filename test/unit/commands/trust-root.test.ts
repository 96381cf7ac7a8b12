import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { addServices } from '../../../src/commands/trust-root/add.ts';
import { parseServiceSpec, parseTime } from '../../../src/commands/trust-root/service-spec.ts';
import { listServices } from '../../../src/commands/trust-root/show.ts';
import { checkTrustedRoot } from '../../../src/signing/trusted-root-check.ts';
import { toLogInstance, trustedRootMediaType } from '../../../src/signing/trusted-root-document.ts';
import type { LogInstance, TrustedRootDocument } from '../../../src/signing/trusted-root-document.ts';
import { codeOf } from '../signing/codes.ts';

const url = 'https://rekor.example';
const hour = 3_600_000;
const newLog = (start: string, baseUrl = url): LogInstance =>
  toLogInstance({
    baseUrl,
    key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
    validFor: { start },
  });
const rootOf = (...tlogs: LogInstance[]): TrustedRootDocument => ({
  mediaType: trustedRootMediaType,
  tlogs,
  ctlogs: [],
  certificateAuthorities: [],
  timestampAuthorities: [],
});
const endsOf = ({ tlogs }: TrustedRootDocument): readonly (string | undefined)[] =>
  tlogs.map(({ publicKey }) => publicKey.validFor?.end);

describe('parseServiceSpec', () => {
  it('reads what cosign reads', () => {
    const text =
      'url=https://rekor.example, public-key=rekor.pub,start-time=2026-01-01T01:00:00+01:00,origin=x';
    expect(parseServiceSpec('rekor', text)).to.deep.equal({
      kind: 'rekor',
      url: 'https://rekor.example',
      publicKey: 'rekor.pub',
      startTime: '2026-01-01T00:00:00Z',
      origin: 'x',
    });
  });

  it('refuses what could be meant in another way with ERR_USAGE_FLAGS', () => {
    for (const text of [
      '',
      'https://rekor.example',
      'url=rekor.example',
      'url=ftp://rekor.example',
      'url=https://a.example,url=https://b.example',
      'url=https://a.example,public-keys=x',
      'url=https://a.example,certificate-chain=x',
      'url=https://a.example,public-key=',
      'url=https://a.example,start-time=yesterday',
      'url=https://a.example,start-time=2026-13-01T00:00:00Z',
      'url=https://a.example,api-version=one',
    ]) {
      expect(
        codeOf(() => parseServiceSpec('rekor', text)),
        text,
      ).to.equal('ERR_USAGE_FLAGS');
    }
  });

  it('never throws anything else', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseServiceSpec('fulcio', text);
        } catch (error) {
          expect(error).to.have.property('code', 'ERR_USAGE_FLAGS');
        }
      }),
    );
    expect(codeOf(() => parseTime('2026-01-01', '--at'))).to.equal('ERR_USAGE_FLAGS');
  });
});

describe('addServices', () => {
  const options = { overlapMs: hour, replaces: [] };

  it('ends the key that a new one at the same address replaces, after the overlap', () => {
    const before = rootOf(newLog('2020-01-01T00:00:00Z'));
    const after = addServices(before, rootOf(newLog('2026-03-01T00:00:00Z')), options);
    expect(endsOf(after)).to.deep.equal(['2026-03-01T01:00:00Z', undefined]);
    expect(checkTrustedRoot(after, new Date('2026-03-02T00:00:00Z'))).to.deep.equal([]);
    const at = new Date('2026-04-01T00:00:00Z');
    expect(listServices(after, at).map(({ state }) => state)).to.deep.equal(['ended', 'current']);
  });

  it('leaves alone what is elsewhere, unless it is said to be replaced', () => {
    const before = rootOf(newLog('2020-01-01T00:00:00Z', 'https://public.example'));
    const added = rootOf(newLog('2026-03-01T00:00:00Z'));
    expect(endsOf(addServices(before, added, options))).to.deep.equal([undefined, undefined]);
    const replaces = ['https://public.example'];
    expect(endsOf(addServices(before, added, { overlapMs: 0, replaces }))).to.deep.equal([
      '2026-03-01T00:00:00Z',
      undefined,
    ]);
  });

  it('never makes the validity of a key longer', () => {
    const ended = newLog('2020-01-01T00:00:00Z');
    const before = rootOf({
      ...ended,
      publicKey: {
        ...ended.publicKey,
        validFor: { start: '2020-01-01T00:00:00Z', end: '2021-01-01T00:00:00Z' },
      },
    });
    const [end] = endsOf(addServices(before, rootOf(newLog('2026-03-01T00:00:00Z')), options));
    expect(end).to.equal('2021-01-01T00:00:00Z');
  });
});
