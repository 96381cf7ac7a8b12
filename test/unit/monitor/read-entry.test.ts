import { expect } from 'chai';
import { hashLeaf } from '../../../src/transparency/merkle-proof.ts';
import { readEntry } from '../../../src/monitor/read-entry.ts';
import type { ReadEntry } from '../../../src/monitor/read-entry.ts';
import { isWatched } from '../../../src/monitor/watched-signers.ts';
import type { WatchedSigners } from '../../../src/monitor/watched-signers.ts';
import { exactly, matching } from '../../../src/signing/certificate-identity.ts';
import type { TextMatch } from '../../../src/signing/certificate-identity.ts';
import { entryOf, newCertificate, newKey, newPayload } from './entries.ts';

const subject = 'https://example.internal/namespaces/ci/serviceaccounts/signer';
const issuer = 'https://example.internal';
const read = (body: Buffer): Promise<ReadEntry> =>
  readEntry({ body, uuid: hashLeaf(body).toString('hex'), logIndex: 1, integratedTime: 2 });
const watched = (parts: Partial<WatchedSigners>): WatchedSigners => ({
  identities: [],
  fingerprints: new Set(),
  ...parts,
});

describe('readEntry', () => {
  for (const kind of ['hashedrekord', 'dsse', 'intoto', 'hashedrekord-v2', 'dsse-v2'] as const) {
    it(`finds payload and signer of an entry of kind ${kind}`, async () => {
      const [payload, signer] = [newPayload(), await newCertificate(subject, issuer)];
      const { verifiers, ...entry } = await read(entryOf(kind, payload, signer));
      expect(entry).to.include({ kind: kind.replace('-v2', ''), payloadDigest: payload });
      expect(verifiers.map(({ fingerprint }) => fingerprint)).to.deep.equal([signer.fingerprint]);
      expect(verifiers[0]?.certificate).to.deep.include({ subjects: [subject], issuer });
    });
  }

  it('finds the signer, and no payload, in an entry of a kind that it does not know', async () => {
    const signer = await newCertificate(subject, issuer);
    const { payloadDigest, verifiers } = await read(entryOf('unknown', newPayload(), signer));
    expect(payloadDigest).to.equal(undefined);
    expect(verifiers.map(({ fingerprint }) => fingerprint)).to.deep.equal([signer.fingerprint]);
  });

  it('finds bare keys', async () => {
    const key = newKey();
    for (const kind of ['dsse', 'dsse-v2'] as const) {
      expect((await read(entryOf(kind, newPayload(), key))).verifiers).to.deep.equal([
        { fingerprint: key.fingerprint },
      ]);
    }
  });

  it('finds the last of many signers, and lets others work meanwhile', async () => {
    const keys = Array.from({ length: 301 }, newKey);
    const signatures = keys.map(({ pem }) => ({ verifier: Buffer.from(pem).toString('base64') }));
    let turns = 0;
    const working = setInterval(() => (turns += 1), 0);
    const { verifiers } = await read(Buffer.from(JSON.stringify({ kind: 'dsse', spec: { signatures } })));
    clearInterval(working);
    expect(turns).to.be.above(0);
    const found = verifiers.map(({ fingerprint }) => fingerprint);
    expect(found).to.deep.equal(keys.map(({ fingerprint }) => fingerprint));
  });

  it('takes entries that are nothing it can read', async () => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
    for (const text of ['', 'not json', '[]', '{"kind":7}', JSON.stringify({ kind: 'dsse', spec: broken })]) {
      expect((await read(Buffer.from(text))).verifiers).to.deep.equal([]);
    }
  });
});

describe('isWatched', () => {
  it('tells identities exactly or by an expression, with or without their issuer', async () => {
    const { verifiers } = await read(entryOf('dsse', newPayload(), await newCertificate(subject, issuer)));
    const [verifier] = verifiers;
    const by = (subject: TextMatch, issuer?: TextMatch) => ({ subject, issuer });
    const cases: [Partial<WatchedSigners>, boolean][] = [
      [{ identities: [by(exactly(subject))] }, true],
      [{ identities: [by(exactly(`${subject}x`))] }, false],
      [{ identities: [by(exactly('nobody')), by(matching('/serviceaccounts/sign'))] }, true],
      [{ identities: [by(exactly(subject), exactly(issuer))] }, true],
      [{ identities: [by(exactly(subject), exactly('https://other.example'))] }, false],
      [
        { identities: [by(exactly('nobody'), exactly(issuer)), by(exactly(subject), exactly('nobody'))] },
        false,
      ],
      [{ fingerprints: new Set([verifier!.fingerprint]) }, true],
      [{}, false],
    ];
    for (const [signers, expected] of cases)
      expect(isWatched(watched(signers), verifier!)).to.equal(expected);
  });
});
