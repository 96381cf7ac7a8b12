import { generateKeyPairSync, hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { Clock } from '../../../src/model/clock.ts';
import { encodePem } from '../../../src/model/signature.ts';
import { formatFieldFaults } from '../../../src/policy/field-fault.ts';
import { parseTrustRootObject, readTrustRootObject } from '../../../src/policy/trust-root-object.ts';
import { loadTrustRootObject } from '../../../src/policy/trust-root-source.ts';
import { parseTrustRoot } from '../../../src/signing/trust-root.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { newAuthorityChain } from '../../support/certificate-chains.ts';

interface Document {
  readonly tlogs: readonly { baseUrl: string; publicKey: { rawBytes: string } }[];
  readonly ctlogs: readonly { baseUrl: string; publicKey: { rawBytes: string } }[];
  readonly certificateAuthorities: readonly { certChain: { certificates: { rawBytes: string }[] } }[];
}
interface Keys {
  readonly tLogs: object[];
  readonly ctLogs: object[];
  readonly certificateAuthorities: object[];
}

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');
const pemOf = (label: 'CERTIFICATE' | 'PUBLIC KEY', rawBytes: string): string =>
  base64(encodePem(label, Buffer.from(rawBytes, 'base64')));
const objectOf = (spec: object): object => ({
  apiVersion: 'policy.sigstore.dev/v1alpha1',
  kind: 'TrustRoot',
  metadata: { name: 'golems' },
  spec,
});
const faultsOf = (spec: object): string => formatFieldFaults(readTrustRootObject(objectOf(spec)).faults);
const clock: Clock = { now: () => new Date(), sleep: () => Promise.reject(new Error('no sleep here')) };
const load = (spec: object): Promise<TrustRoot> =>
  loadTrustRootObject(parseTrustRootObject(objectOf(spec)), { clock, signal: new AbortController().signal });
const logOf = (publicKey: KeyObject, baseURL = 'https://log.example'): object => ({
  baseURL,
  hashAlgorithm: 'sha-256',
  publicKey: base64(publicKey.export({ format: 'pem', type: 'spki' })),
});
const subject = { organization: 'Golem Trust', commonName: 'Fulcio' };
const uri = 'https://fulcio.example';

describe('a TrustRoot', () => {
  let document: Document;
  let chains: Awaited<ReturnType<typeof newAuthorityChain>>[];
  before(async () => {
    await using sigstore = await startDevelopmentSigstore();
    document = sigstore.trustedRoot as Document;
    chains = await Promise.all([newAuthorityChain(), newAuthorityChain()]);
  });

  const keys = (): Keys => {
    const toLog = ({ baseUrl, publicKey }: Document['tlogs'][number]): object => ({
      baseURL: baseUrl,
      hashAlgorithm: 'sha-256',
      publicKey: pemOf('PUBLIC KEY', publicKey.rawBytes),
    });
    return {
      tLogs: document.tlogs.map(toLog),
      ctLogs: document.ctlogs.map(toLog),
      certificateAuthorities: document.certificateAuthorities.map(({ certChain }) => ({
        subject,
        uri,
        certChain: pemOf('CERTIFICATE', certChain.certificates[0]?.rawBytes ?? ''),
      })),
    };
  };

  it('gives the same keys, ids and certificates as the trusted_root.json of the same instance', async () => {
    const trustRoot = await load({ sigstoreKeys: keys() });
    const expected = parseTrustRoot(JSON.stringify(document)).material;
    for (const logs of ['tlogs', 'ctlogs'] as const) {
      expect(trustRoot.material[logs].map(({ logID }) => logID.toString('hex'))).to.deep.equal(
        expected[logs].map(({ logID }) => logID.toString('hex')),
      );
      expect(trustRoot.material[logs][0]?.publicKey.equals(expected[logs][0]!.publicKey)).to.equal(true);
    }
    const [found] = trustRoot.material.certificateAuthorities;
    expect(found?.certChain[0]?.equals(expected.certificateAuthorities[0]!.certChain[0]!)).to.equal(true);
  });

  it('takes ECDSA, RSA and Ed25519 log keys under the SHA-256 of each, which policy-controller does not', async () => {
    const pairs = [
      ...['P-256', 'P-384', 'P-521'].map((namedCurve) => generateKeyPairSync('ec', { namedCurve })),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
      generateKeyPairSync('ed25519'),
    ];
    const logs = pairs.map(({ publicKey }) => logOf(publicKey));
    const { material } = await load({ sigstoreKeys: { ...keys(), tLogs: logs, ctLogs: logs } });
    for (const [index, { publicKey }] of pairs.entries()) {
      const id = hash('sha256', publicKey.export({ format: 'der', type: 'spki' }), 'hex');
      for (const found of [material.tlogs[index], material.ctlogs[index]]) {
        expect(found?.publicKey.equals(publicKey)).to.equal(true);
        expect(found?.logID.toString('hex')).to.equal(id);
      }
    }
  });

  it('knows an Ed25519 log also by the id that Rekor v2 gives it', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const log = logOf(publicKey, 'https://log.example:8080/v2');
    const { material } = await load({ sigstoreKeys: { ...keys(), tLogs: [log] } });
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const noteId = hash('sha256', Buffer.concat([Buffer.from('log.example\n\u0001'), raw]), 'hex');
    expect(material.tlogs[1]?.logID.toString('hex')).to.equal(noteId);
    expect(material.tlogs[1]?.publicKey.equals(publicKey)).to.equal(true);
  });

  it('takes whole chains of authorities, and base64 with line breaks', async () => {
    const [{ root, intermediate, leaf } = { root: '', intermediate: '', leaf: '' }] = chains;
    const certChain = base64([leaf, intermediate, root].join('\n')).replaceAll(/.{64}/g, '$&\n');
    const authority = { subject, uri, certChain };
    const { material } = await load({
      sigstoreKeys: { certificateAuthorities: [authority], timestampAuthorities: [authority] },
    });
    expect(material.certificateAuthorities[0]?.certChain).to.have.length(3);
    expect(material.timestampAuthorities[0]?.certChain).to.have.length(3);
  });

  it('gives the defaults that policy-controller writes', () => {
    const { spec } = parseTrustRootObject(objectOf({ remote: { root, mirror: 'https://tuf.example' } }));
    expect(spec.remote).to.include({ targets: 'targets', trustedRootTarget: 'trusted_root.json' });
    const empty = { root, mirrorFS, targets: '', trustedRootTarget: '' };
    expect(parseTrustRootObject(objectOf({ repository: empty })).spec.repository).to.include({
      targets: 'targets',
      trustedRootTarget: 'trusted_root.json',
    });
  });

  const sources = 'spec.remote, spec.repository, spec.sigstoreKeys';
  const root = base64('{"signatures":[]}');
  const mirrorFS = base64(Buffer.from([0x1f, 0x8b, 0]));
  const mirror = 'https://tuf.example';
  const at = 'spec.sigstoreKeys';
  /** What policy-controller refuses, and how it says so; the names of fields are the real ones. */
  const refused: Readonly<Record<string, readonly [() => object, string]>> = {
    'no source': [() => ({}), `expected exactly one, got neither: ${sources}`],
    'two sources': [
      () => ({ remote: { root, mirror }, sigstoreKeys: keys() }),
      `expected exactly one, got both: ${sources}`,
    ],
    'a remote without root and mirror': [
      () => ({ remote: {} }),
      'missing field(s): spec.remote.mirror, spec.remote.root',
    ],
    'a mirror that is no URL': [
      () => ({ remote: { root, mirror: 'tuf.example' } }),
      'invalid value: tuf.example: spec.remote.mirror\nnot an http or https URL',
    ],
    'a repository without root and archive': [
      () => ({ repository: {} }),
      'missing field(s): spec.repository.mirrorFS, spec.repository.root',
    ],
    'a root that is no base64': [
      () => ({ repository: { root: '%', mirrorFS } }),
      'invalid value: failed to unmarshal: spec.repository.root\nillegal base64 data',
    ],
    'a root that is no JSON': [
      () => ({ repository: { root: base64('{'), mirrorFS } }),
      'invalid value: failed to unmarshal: spec.repository.root\nExpected property name',
    ],
    'a root without signatures': [
      () => ({ remote: { root: base64('{}'), mirror } }),
      'invalid value: missing signatures in root.json: spec.remote.root\nno signatures',
    ],
    'an archive that is not packed': [
      () => ({ repository: { root, mirrorFS: base64('hello world') } }),
      'invalid value: failed to construct a TUF client: spec.repository.mirrorFS\nfailed to uncompress: gzip: invalid header',
    ],
    'an archive that is no base64': [
      () => ({ repository: { root, mirrorFS: '%' } }),
      'invalid value: failed to construct a TUF client: spec.repository.mirrorFS\nfailed to uncompress: illegal base64',
    ],
    'keys without any authority': [
      () => ({ sigstoreKeys: { tLogs: keys().tLogs } }),
      `expected exactly one, got neither: ${at}.certificateAuthorities, ${at}.timestampAuthorities`,
    ],
    'an authority without its fields': [
      () => ({ sigstoreKeys: { ...keys(), certificateAuthorities: [{}] } }),
      'missing field(s): ' +
        ['certChain', 'subject.commonName', 'subject.organization', 'uri']
          .map((field) => `${at}.certificateAuthorities[0].${field}`)
          .join(', '),
    ],
    'a log without its fields': [
      () => ({ sigstoreKeys: { ...keys(), ctLogs: [{}] } }),
      `missing field(s): ${at}.ctLogs[0].baseURL, ${at}.ctLogs[0].hashAlgorithm, ${at}.ctLogs[0].publicKey`,
    ],
    'faults of every element, not of the last one alone': [
      () => {
        const [good] = keys().tLogs;
        const tLogs = [{ ...good, baseURL: '' }, good];
        return { sigstoreKeys: { ...keys(), ctLogs: [{ ...good, baseURL: '' }, good], tLogs } };
      },
      `missing field(s): ${at}.ctLogs[0].baseURL, ${at}.tLogs[0].baseURL`,
    ],
    'a chain without certificates': [
      () => ({
        sigstoreKeys: { ...keys(), timestampAuthorities: [{ subject, uri, certChain: base64('no') }] },
      }),
      `invalid value: error splitting the certificates: ${at}.timestampAuthorities[0].certChain\nerror during PEM decoding`,
    ],
    'a certificate that is none': [
      () => ({
        sigstoreKeys: {
          certificateAuthorities: [
            { subject, uri, certChain: pemOf('CERTIFICATE', base64('no certificate')) },
          ],
        },
      }),
      `invalid value: error splitting the certificates: ${at}.certificateAuthorities[0].certChain\n`,
    ],
    'two certificates of timestamp authorities in one chain': [
      () => {
        const certChain = base64(
          chains.flatMap((chain) => [chain.root, chain.intermediate, chain.leaf]).join('\n'),
        );
        return { sigstoreKeys: { timestampAuthorities: [{ subject, uri, certChain }] } };
      },
      `invalid value: certificate chain must contain at most one TSA certificate: ${at}.timestampAuthorities[0].certChain`,
    ],
    'a log key that is none': [
      () => ({ sigstoreKeys: { ...keys(), tLogs: [{ ...keys().tLogs[0], publicKey: 'YQ==' }] } }),
      `invalid value: not a public key in PEM: ${at}.tLogs[0].publicKey`,
    ],
    'an unknown field': [
      () => ({ sigstoreKeys: keys(), colour: 'red' }),
      'json: unknown field "colour": spec',
    ],
  };

  for (const [what, [spec, expected]] of Object.entries(refused)) {
    it(`refuses ${what} in policy-controller's words`, () => {
      expect(faultsOf(spec())).to.include(expected);
    });
  }

  it('takes a field that is null for none, as the API server does', () => {
    expect(faultsOf({ sigstoreKeys: { ...keys(), ctLogs: null }, remote: null })).to.equal('');
  });

  it('refuses all faults at once with ERR_POLICY_INVALID', () => {
    const spec = { sigstoreKeys: { tLogs: [{}], certificateAuthorities: [{}] }, colour: 'red' };
    expect(() => parseTrustRootObject(objectOf(spec)))
      .to.throw(/TrustRoot golems is invalid:.*colour.*certChain.*tLogs\[0\]/s)
      .with.property('code', 'ERR_POLICY_INVALID');
  });

  it('never throws, whatever it is given', () => {
    const spec = fc.oneof(
      fc.record({ remote: fc.record({ root: fc.base64String(), mirror: fc.webUrl() }) }),
      fc.record({ repository: fc.record({ root: fc.base64String(), mirrorFS: fc.base64String() }) }),
      fc.record({
        sigstoreKeys: fc.record({ tLogs: fc.array(fc.record({ publicKey: fc.base64String() })) }),
      }),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(spec, (value) => {
        const { spec: read, faults } = readTrustRootObject(objectOf(value as object));
        expect(read === undefined).to.equal(faults.length > 0);
      }),
      { numRuns: 300 },
    );
  });
});
