import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../src/model/errors.ts';
import { encodeBundle, parseBundle } from '../../../src/statements/sigstore-bundle.ts';
import type { BundleParts } from '../../../src/statements/sigstore-bundle.ts';
import { logEntry } from './log-entry.ts';

const parts: BundleParts = {
  envelope: {
    payloadType: 't',
    payload: Buffer.from('{}'),
    signatures: [{ keyid: '', sig: Buffer.from('sig') }],
  },
  material: { kind: 'certificate', chainDer: [Buffer.from('leaf'), Buffer.from('ca')] },
  entries: [logEntry],
};
const base64 = (text: string) => Buffer.from(text).toString('base64');
const written = (more: Partial<BundleParts> = {}) =>
  JSON.parse(encodeBundle({ ...parts, ...more }).toString()) as Record<string, unknown>;

describe('encodeBundle', () => {
  it('writes v0.3 with the leaf certificate alone, the log entry and the envelope', () => {
    expect(written()).to.deep.equal({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: {
        certificate: { rawBytes: base64('leaf') },
        tlogEntries: [
          {
            logIndex: '4139',
            logId: { keyId: Buffer.from('c0ffee', 'hex').toString('base64') },
            kindVersion: { kind: 'dsse', version: '0.0.1' },
            integratedTime: '1795374515',
            inclusionPromise: { signedEntryTimestamp: base64('promise') },
            inclusionProof: {
              logIndex: '39',
              rootHash: base64('root'),
              treeSize: '40',
              hashes: [base64('hash')],
              checkpoint: logEntry.inclusionProof?.checkpoint,
            },
            canonicalizedBody: logEntry.canonicalizedBody.toString('base64'),
          },
        ],
      },
      dsseEnvelope: { payload: 'e30=', payloadType: 't', signatures: [{ sig: base64('sig') }] },
    });
  });

  it("gives a bare key's hint as cosign does, and timestamps", () => {
    const material = { kind: 'public-key', spkiDer: Buffer.from('spki') } as const;
    const hint = createHash('sha256').update('spki').digest('base64');
    expect(
      written({ material, entries: [], timestamps: [Buffer.from('tsr')] })['verificationMaterial'],
    ).to.deep.equal({
      publicKey: { hint },
      timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: base64('tsr') }] },
    });
  });

  it('refuses an entry without inclusion proof with ERR_BUNDLE_PARTS', () => {
    expect(() => written({ entries: [{ ...logEntry, inclusionProof: undefined }] }))
      .to.throw(/inclusionProof/)
      .with.property('code', 'ERR_BUNDLE_PARTS');
  });
});

describe('parseBundle', () => {
  it('reads what was written', () => {
    const bundle = parseBundle(encodeBundle(parts));
    expect(bundle.verificationMaterial.tlogEntries).to.deep.equal([logEntry]);
    expect(bundle.content.$case).to.equal('dsseEnvelope');
  });

  it('refuses with ERR_BUNDLE what is no bundle', () => {
    const text = encodeBundle(parts).toString();
    for (const changed of [
      '{}',
      '[]',
      'null',
      'text',
      text.replace('"payload":"e30="', '"payload":""'),
      text.replace('v0.3', 'v0.x'),
      text.replace('"mediaType"', '"mediaType":"x","mediaType"'),
      text.replace('"certificate"', '"certificat"'),
    ]) {
      expect(() => parseBundle(Buffer.from(changed)), changed.slice(0, 80))
        .to.throw()
        .with.property('code', 'ERR_BUNDLE');
    }
  });

  it('throws nothing but ERR_BUNDLE', () => {
    const key = fc.constantFrom(
      'mediaType',
      'verificationMaterial',
      'dsseEnvelope',
      'tlogEntries',
      'certificate',
      'signatures',
    );
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), (value) => {
        try {
          parseBundle(Buffer.from(JSON.stringify(value)));
        } catch (error) {
          expect(isAppError(error) && error.code).to.equal('ERR_BUNDLE');
        }
      }),
    );
  });
});
