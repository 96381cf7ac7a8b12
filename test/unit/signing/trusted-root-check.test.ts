import { X509Certificate, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { checkSigningConfig, signingConfigSchema } from '../../../src/signing/signing-config.ts';
import { parseTrustRoot } from '../../../src/signing/trust-root.ts';
import { checkTrustedRoot } from '../../../src/signing/trusted-root-check.ts';
import {
  formatTrustedRoot,
  toAuthorityInstance,
  toLogInstance,
  trustedRootMediaType,
  trustedRootSchema,
} from '../../../src/signing/trusted-root-document.ts';
import type { TrustedRootDocument } from '../../../src/signing/trusted-root-document.ts';
import { newAuthorityChain, newTimestampChain } from '../../support/certificate-chains.ts';

const start = '2026-01-01T00:00:00Z';
const der = (pem: string): Uint8Array => new X509Certificate(pem).raw;
const base64Of = (pem: string): string => Buffer.from(der(pem)).toString('base64');
const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;

/** For planted faults. */
type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> };

describe('checkTrustedRoot', () => {
  let good: TrustedRootDocument;
  let chain: Awaited<ReturnType<typeof newAuthorityChain>>;
  let loose: Awaited<ReturnType<typeof newTimestampChain>>;

  before(async () => {
    chain = await newAuthorityChain();
    const [leaf, root] = await newTimestampChain();
    loose = await newTimestampChain(false);
    good = {
      mediaType: trustedRootMediaType,
      tlogs: [
        toLogInstance({ baseUrl: 'https://rekor.example', key: newKey(), validFor: { start } }),
        toLogInstance({
          baseUrl: 'https://rekor2.example',
          key: generateKeyPairSync('ed25519').publicKey,
          validFor: { start },
          origin: 'rekor2.example',
        }),
      ],
      ctlogs: [toLogInstance({ baseUrl: 'https://ct.example/log', key: newKey(), validFor: { start } })],
      certificateAuthorities: [
        toAuthorityInstance({
          uri: 'https://fulcio.example',
          certificates: [der(chain.intermediate), der(chain.root)],
          validFor: { start },
        }),
      ],
      timestampAuthorities: [
        toAuthorityInstance({
          uri: 'https://tsa.example',
          certificates: [der(leaf), der(root)],
          validFor: { start },
        }),
      ],
    };
  });

  const soon = (): Date => new Date();
  const findings = (change: (root: Mutable<TrustedRootDocument>) => void): readonly string[] => {
    const root = structuredClone(good) as Mutable<TrustedRootDocument>;
    change(root);
    return checkTrustedRoot(root, soon()).map(
      ({ severity, check, where }) => `${severity} ${check} ${where}`,
    );
  };

  it('finds nothing in a good one, which the verifier takes', () => {
    expect(findings(() => undefined)).to.deep.equal([]);
    const { material } = parseTrustRoot(formatTrustedRoot(good));
    expect(material.tlogs).to.have.length(2);
    expect(material.timestampAuthorities).to.have.length(1);
  });

  it('writes RSA keys as cosign does, and the verifier takes them', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const log = toLogInstance({ baseUrl: 'https://rsa.example', key: publicKey, validFor: { start } });
    expect(log.publicKey.keyDetails).to.equal('PKIX_RSA_PKCS1V15_2048_SHA256');
    const { material } = parseTrustRoot(formatTrustedRoot({ ...good, tlogs: [log] }));
    expect(material.tlogs[0]?.publicKey.equals(publicKey)).to.equal(true);
    expect(findings((root) => (root.tlogs = [log]))).to.deep.equal([]);
  });

  it('finds each fault by itself', () => {
    const cases: readonly (readonly [
      string,
      (root: Mutable<TrustedRootDocument>) => void,
      ...(readonly string[]),
    ])[] = [
      ['a foreign log id', (root) => (root.tlogs[0]!.logId = root.ctlogs[0]!.logId), 'error log-id tlogs[0]'],
      ['a key that is none', (root) => (root.tlogs[0]!.publicKey.rawBytes = 'AAAA'), 'error key tlogs[0]'],
      [
        'a key of another kind than is said',
        (root) => (root.tlogs[0]!.publicKey.keyDetails = 'PKIX_ED25519'),
        'error key tlogs[0]',
      ],
      [
        'another host than the one that the checkpoints name',
        (root) => (root.tlogs[1]!.baseUrl = 'https://other.example'),
        'error log-id tlogs[1]',
      ],
      [
        'a hash that cosign refuses',
        (root) => (root.tlogs[0]!.hashAlgorithm = 'SHA2_512'),
        'error hash-algorithm tlogs[0]',
      ],
      ['no URL', (root) => (root.ctlogs[0]!.baseUrl = 'ct.example'), 'error url ctlogs[0]'],
      ['no start', (root) => (root.tlogs[0]!.publicKey.validFor = {}), 'error validity tlogs[0]'],
      [
        'an end before the start',
        (root) => (root.ctlogs[0]!.publicKey.validFor = { start, end: '2025-01-01T00:00:00Z' }),
        'error validity ctlogs[0]',
        'error coverage ctlogs',
      ],
      [
        'the same log twice',
        (root) => root.tlogs.push(structuredClone(root.tlogs[0]!)),
        'error duplicate tlogs[2]',
        'warning overlap tlogs[2]',
      ],
      [
        'the same authority twice',
        (root) => root.certificateAuthorities.push(structuredClone(root.certificateAuthorities[0]!)),
        'warning duplicate certificateAuthorities[1]',
        'warning overlap certificateAuthorities[1]',
      ],
      [
        'a chain the wrong way round',
        (root) => root.certificateAuthorities[0]!.certChain.certificates.reverse(),
        'error chain certificateAuthorities[0]',
        'error chain certificateAuthorities[0]',
      ],
      [
        'a chain without its root',
        (root) => root.certificateAuthorities[0]!.certChain.certificates.pop(),
        'error chain certificateAuthorities[0]',
      ],
      [
        'a leaf in place of an authority',
        (root) =>
          (root.certificateAuthorities[0]!.certChain.certificates = [
            chain.leaf,
            chain.intermediate,
            chain.root,
          ].map((pem) => ({ rawBytes: base64Of(pem) }))),
        'error chain certificateAuthorities[0]',
      ],
      [
        'a certificate that is none',
        (root) => (root.certificateAuthorities[0]!.certChain.certificates[0]!.rawBytes = 'AAAA'),
        'error certificate certificateAuthorities[0]',
      ],
      [
        'a validity outside of the certificates’',
        (root) => (root.certificateAuthorities[0]!.validFor = { start, end: '2026-01-02T00:00:00Z' }),
        'error validity certificateAuthorities[0]',
        'error validity certificateAuthorities[0]',
        'error coverage certificateAuthorities',
      ],
      [
        'a timestamp authority without its leaf',
        (root) => root.timestampAuthorities[0]!.certChain.certificates.shift(),
        'warning timestamp-leaf timestampAuthorities[0]',
      ],
      [
        'a leaf that is not for timestamps',
        (root) => {
          const certificates = [chain.leaf, chain.intermediate, chain.root];
          root.timestampAuthorities[0]!.certChain.certificates = certificates.map((pem) => ({
            rawBytes: base64Of(pem),
          }));
        },
        'error timestamp-leaf timestampAuthorities[0]',
      ],
      [
        'a usage that is not critical',
        (root) =>
          (root.timestampAuthorities[0]!.certChain.certificates = loose.map((pem) => ({
            rawBytes: base64Of(pem),
          }))),
        'error timestamp-leaf timestampAuthorities[0]',
      ],
      [
        'nothing that tells the time',
        (root) => {
          root.tlogs = [];
          root.timestampAuthorities = [];
        },
        'error coverage tlogs',
      ],
      ['no certificate log', (root) => (root.ctlogs = []), 'warning coverage ctlogs'],
      [
        'only what has ended',
        (root) => {
          for (const { publicKey } of root.tlogs) publicKey.validFor = { start, end: '2026-02-01T00:00:00Z' };
        },
        'error coverage tlogs',
      ],
    ];
    for (const [what, change, ...expected] of cases) {
      expect(findings(change).toSorted(), what).to.deep.equal(expected.toSorted());
    }
  });

  it('gives findings and never throws, whatever a certificate or key holds', () => {
    const bytes = Buffer.from(good.timestampAuthorities[0]!.certChain.certificates[0]!.rawBytes, 'base64');
    const place = fc.nat({ max: bytes.length - 1 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(place, fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
        (edits) => {
          const edited = Buffer.from(bytes);
          for (const [at, value] of edits) edited[at] = value;
          const rawBytes = edited.toString('base64');
          const found = findings((root) => {
            root.timestampAuthorities[0]!.certChain.certificates[0]!.rawBytes = rawBytes;
            root.certificateAuthorities[0]!.certChain.certificates.unshift({ rawBytes });
            root.tlogs[0]!.publicKey.rawBytes = rawBytes;
          });
          expect(found).to.include('error key tlogs[0]');
        },
      ),
      { numRuns: 500 },
    );
  });

  it('tells a gap between two keys of one log, and takes windows that overlap', () => {
    const second = (from: string) => (root: Mutable<TrustedRootDocument>) => {
      root.ctlogs[0]!.publicKey.validFor = { start, end: '2026-02-01T00:00:00Z' };
      root.ctlogs.push(
        toLogInstance({ baseUrl: 'https://ct.example/log', key: newKey(), validFor: { start: from } }),
      );
    };
    expect(findings(second('2026-02-02T00:00:00Z'))).to.deep.equal(['warning gap ctlogs[1]']);
    expect(findings(second('2026-01-31T00:00:00Z'))).to.deep.equal([]);
  });

  it('finds that an empty one trusts nothing, and that cosign reads v0.1 only', () => {
    const empty = trustedRootSchema.parse({ mediaType: trustedRootMediaType });
    expect(checkTrustedRoot(empty, soon()).map(({ message }) => message)).to.deep.equal([
      'it trusts nothing',
    ]);
    expect(
      findings((root) => (root.mediaType = 'application/vnd.dev.sigstore.trustedroot.v0.2+json')),
    ).to.deep.equal(['warning media-type mediaType']);
  });

  it('refuses fields that are not known, as cosign does', () => {
    expect(trustedRootSchema.safeParse({ ...good, extra: 1 }).success).to.equal(false);
    expect(trustedRootSchema.safeParse(good).success).to.equal(true);
  });
});

describe('checkSigningConfig', () => {
  const service = (url: string, majorApiVersion = 1): object => ({
    url,
    majorApiVersion,
    validFor: { start },
    operator: 'golems.internal',
  });
  const base = {
    mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
    caUrls: [service('https://fulcio.example')],
    oidcUrls: [],
    rekorTlogUrls: [service('https://rekor.example')],
    rekorTlogConfig: { selector: 'ANY' },
    tsaUrls: [],
    tsaConfig: {},
  };
  const found = (changed: object, trustedRoot?: TrustedRootDocument): readonly string[] =>
    checkSigningConfig(signingConfigSchema.parse({ ...base, ...changed }), {
      now: new Date(),
      trustedRoot,
    }).map(({ severity, check, where }) => `${severity} ${check} ${where}`);

  it('finds each fault by itself', () => {
    expect(found({})).to.deep.equal([]);
    expect(found({ rekorTlogConfig: {} })).to.deep.equal(['error selector rekorTlogConfig']);
    expect(found({ rekorTlogConfig: { selector: 'EXACT', count: 2 } })).to.deep.equal([
      'error selector rekorTlogConfig',
    ]);
    expect(found({ rekorTlogUrls: [service('https://rekor2.example', 2)] })).to.deep.equal([
      'error coverage tsaUrls',
    ]);
    expect(found({ caUrls: [service('fulcio.example')] })).to.deep.equal(['error url caUrls[0]']);
    const ended = { ...service('https://rekor.example'), validFor: { start, end: '2026-02-01T00:00:00Z' } };
    expect(found({ rekorTlogUrls: [ended] })).to.deep.equal(['error coverage rekorTlogUrls']);
    expect(found({ rekorTlogUrls: [] })).to.deep.equal(['warning coverage rekorTlogUrls']);
  });

  it('finds services that the trust root does not hold', () => {
    const root = trustedRootSchema.parse({
      mediaType: trustedRootMediaType,
      tlogs: [toLogInstance({ baseUrl: 'https://rekor.example', key: newKey(), validFor: { start } })],
    });
    expect(found({}, root)).to.deep.equal(['error untrusted caUrls[0]']);
  });
});
