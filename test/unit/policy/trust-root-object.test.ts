import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { encodePem } from '../../../src/model/signature.ts';
import { parseTrustRootObject } from '../../../src/policy/trust-root-object.ts';
import { parseTrustRoot } from '../../../src/signing/trust-root.ts';

interface Document {
  readonly tlogs: readonly { baseUrl: string; publicKey: { rawBytes: string } }[];
  readonly ctlogs: readonly { baseUrl: string; publicKey: { rawBytes: string } }[];
  readonly certificateAuthorities: readonly { certChain: { certificates: { rawBytes: string }[] } }[];
}

const pemOf = (label: 'CERTIFICATE' | 'PUBLIC KEY', rawBytes: string): string =>
  Buffer.from(encodePem(label, Buffer.from(rawBytes, 'base64'))).toString('base64');
const objectOf = (spec: object): object => ({
  apiVersion: 'policy.sigstore.dev/v1alpha1',
  kind: 'TrustRoot',
  metadata: { name: 'golems' },
  spec,
});

describe('a TrustRoot', () => {
  let document: Document;
  before(async () => {
    await using sigstore = await startDevelopmentSigstore();
    document = sigstore.trustedRoot as Document;
  });

  const keys = (): { tLogs: object[]; ctLogs: object[]; certificateAuthorities: object[] } => {
    const toLog = ({ baseUrl, publicKey }: Document['tlogs'][number]): object => ({
      baseURL: baseUrl,
      hashAlgorithm: 'sha-256',
      publicKey: pemOf('PUBLIC KEY', publicKey.rawBytes),
    });
    return {
      tLogs: document.tlogs.map(toLog),
      ctLogs: document.ctlogs.map(toLog),
      certificateAuthorities: document.certificateAuthorities.map(({ certChain }) => ({
        subject: { organization: 'Golem Trust', commonName: 'Fulcio' },
        uri: 'https://fulcio.example',
        certChain: pemOf('CERTIFICATE', certChain.certificates[0]?.rawBytes ?? ''),
      })),
    };
  };

  it('gives the same keys, ids and certificates as the trusted_root.json of the same instance', () => {
    const { name, trustRoot } = parseTrustRootObject(objectOf({ sigstoreKeys: keys() }));
    const expected = parseTrustRoot(JSON.stringify(document)).material;
    expect(name).to.equal('golems');
    for (const logs of ['tlogs', 'ctlogs'] as const) {
      expect(trustRoot.material[logs].map(({ logID }) => logID.toString('hex'))).to.deep.equal(
        expected[logs].map(({ logID }) => logID.toString('hex')),
      );
      expect(trustRoot.material[logs][0]?.publicKey.equals(expected[logs][0]!.publicKey)).to.equal(true);
    }
    const [found] = trustRoot.material.certificateAuthorities;
    expect(found?.certChain[0]?.equals(expected.certificateAuthorities[0]!.certChain[0]!)).to.equal(true);
  });

  it('takes RSA and Ed25519 log keys, which policy-controller refuses', () => {
    const pairs = [generateKeyPairSync('rsa', { modulusLength: 2048 }), generateKeyPairSync('ed25519')];
    const tLogs = pairs.map(({ publicKey }, index) => ({
      baseURL: `https://log-${index}.example`,
      publicKey: Buffer.from(publicKey.export({ format: 'pem', type: 'spki' })).toString('base64'),
    }));
    const { trustRoot } = parseTrustRootObject(objectOf({ sigstoreKeys: { ...keys(), tLogs } }));
    for (const [index, { publicKey }] of pairs.entries()) {
      expect(trustRoot.material.tlogs[index]?.publicKey.equals(publicKey)).to.equal(true);
    }
  });

  it('refuses faults of its fields with ERR_POLICY_INVALID, all at once', () => {
    const spec = { sigstoreKeys: { tLogs: [{}], certificateAuthorities: [{}] }, colour: 'red' };
    expect(() => parseTrustRootObject(objectOf(spec)))
      .to.throw(/colour.*certChain|certChain.*colour/s)
      .with.property('code', 'ERR_POLICY_INVALID');
    expect(() => parseTrustRootObject(objectOf({}))).to.throw(
      'expected exactly one, got neither: spec.remote, spec.repository, spec.sigstoreKeys',
    );
  });

  it('refuses a TUF repository with ERR_POLICY_UNSUPPORTED, and a key that is none with ERR_TRUST_ROOT', () => {
    expect(() => parseTrustRootObject(objectOf({ remote: { root: 'e30=', mirror: 'https://tuf.example' } })))
      .to.throw()
      .with.property('code', 'ERR_POLICY_UNSUPPORTED');
    const tLogs = [{ baseURL: 'https://log.example', publicKey: 'YQ==' }];
    expect(() => parseTrustRootObject(objectOf({ sigstoreKeys: { ...keys(), tLogs } })))
      .to.throw()
      .with.property('code', 'ERR_TRUST_ROOT');
  });
});
