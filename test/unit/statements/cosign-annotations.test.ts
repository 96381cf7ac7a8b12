import { expect } from 'chai';
import {
  encodeCosignAnnotations,
  readCosignAnnotations,
} from '../../../src/statements/cosign-annotations.ts';
import { logEntry } from './log-entry.ts';

const material = {
  kind: 'certificate',
  chainDer: [Buffer.from('leaf'), Buffer.from('ca'), Buffer.from('root')],
} as const;
const pem = (text: string) =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(text).toString('base64')}\n-----END CERTIFICATE-----\n`;
const bundleKey = 'dev.sigstore.cosign/bundle';

describe('encodeCosignAnnotations', () => {
  it("writes a signature's annotations as cosign does", () => {
    expect(
      encodeCosignAnnotations({ signature: Buffer.from('sig'), material, entry: logEntry }),
    ).to.deep.equal({
      'dev.cosignproject.cosign/signature': 'c2ln',
      'dev.sigstore.cosign/certificate': pem('leaf'),
      'dev.sigstore.cosign/chain': pem('ca') + pem('root'),
      [bundleKey]:
        '{"SignedEntryTimestamp":"cHJvbWlzZQ==","Payload":{"body":"' +
        logEntry.canonicalizedBody.toString('base64') +
        '","integratedTime":1795374515,"logIndex":4139,"logID":"c0ffee"}}',
    });
  });

  it("writes an attestation's with an empty signature and its predicate type", () => {
    const predicateType = 'https://slsa.dev/provenance/v0.2';
    const annotations = encodeCosignAnnotations({ material, predicateType });
    expect(annotations).to.include({ 'dev.cosignproject.cosign/signature': '', predicateType });
    expect(annotations).not.to.have.property(bundleKey);
  });

  it('writes no certificate for a bare key', () => {
    const key = { kind: 'public-key', spkiDer: Buffer.from('spki') } as const;
    expect(encodeCosignAnnotations({ signature: Buffer.from('sig'), material: key })).to.deep.equal({
      'dev.cosignproject.cosign/signature': 'c2ln',
    });
  });

  it('refuses an entry without signed entry timestamp with ERR_COSIGN_ENTRY', () => {
    expect(() => encodeCosignAnnotations({ material, entry: { ...logEntry, inclusionPromise: undefined } }))
      .to.throw()
      .with.property('code', 'ERR_COSIGN_ENTRY');
  });
});

describe('readCosignAnnotations', () => {
  it('gives back what was written, without the inclusion proof', () => {
    const annotations = encodeCosignAnnotations({
      signature: Buffer.from('sig'),
      material,
      entry: logEntry,
      predicateType: 'p',
    });
    expect(readCosignAnnotations(annotations)).to.deep.equal({
      signature: Buffer.from('sig'),
      certificatePem: pem('leaf'),
      chainPem: pem('ca') + pem('root'),
      entry: { ...logEntry, inclusionProof: undefined },
      predicateType: 'p',
    });
  });

  it("reads Chains' empty annotations as absent, and a timestamp", () => {
    const annotations = {
      'dev.cosignproject.cosign/signature': 'c2ln',
      'dev.sigstore.cosign/certificate': '',
      'dev.sigstore.cosign/chain': '',
      'dev.sigstore.cosign/rfc3161timestamp': '{"SignedRFC3161Timestamp":"dHNy"}',
    };
    expect(readCosignAnnotations(annotations)).to.deep.equal({
      signature: Buffer.from('sig'),
      timestamp: Buffer.from('tsr'),
    });
  });

  it('refuses with ERR_COSIGN_ANNOTATIONS what is malformed', () => {
    const bundle = encodeCosignAnnotations({ material, entry: logEntry })[bundleKey] ?? '';
    for (const annotations of [
      { 'dev.cosignproject.cosign/signature': '*' },
      { [bundleKey]: 'x' },
      { [bundleKey]: '{}' },
      { [bundleKey]: bundle.replace('4139', '-1') },
      { [bundleKey]: bundle.replace('c0ffee', 'c0ffe') },
      { [bundleKey]: bundle.replace('"body":"', '"body":"*') },
      { [bundleKey]: bundle.replace('"logIndex"', '"logIndex":1,"logIndex"') },
      { 'dev.sigstore.cosign/rfc3161timestamp': '{}' },
    ]) {
      expect(() => readCosignAnnotations(annotations), JSON.stringify(annotations))
        .to.throw()
        .with.property('code', 'ERR_COSIGN_ANNOTATIONS');
    }
  });
});
