import { expect } from 'chai';
import { originByTrustRoot } from '../../../src/monitor/certificate-origin.ts';
import { readEntry } from '../../../src/monitor/read-entry.ts';
import type { EntryVerifier } from '../../../src/monitor/entry-verifier.ts';
import { parseTrustRoot } from '../../../src/signing/trust-root.ts';
import { entryOf, newAuthority, newCertificate, newKey, newPayload } from './entries.ts';
import type { TestSigner } from './entries.ts';

const verifierOf = async (signer: TestSigner): Promise<EntryVerifier> => {
  const body = entryOf('dsse', newPayload(), signer);
  return (await readEntry({ body, uuid: '', logIndex: 0, integratedTime: 0 })).verifiers[0]!;
};

describe('originByTrustRoot', () => {
  it('tells a certificate of our authority from one of another, and from one that somebody made himself', async () => {
    const [authority, another] = [await newAuthority(), await newAuthority()];
    const origin = originByTrustRoot(parseTrustRoot(JSON.stringify(authority.trustedRoot)));
    const issued = await newCertificate('https://us', 'https://issuer', authority);
    expect(origin.isGenuine(await verifierOf(issued))).to.equal(true);
    expect(
      origin.isGenuine(await verifierOf(await newCertificate('https://us', 'https://issuer', another))),
    ).to.equal(false);
    expect(origin.isGenuine(await verifierOf(await newCertificate('https://us', 'https://issuer')))).to.equal(
      false,
    );
    expect(origin.isGenuine(await verifierOf(newKey()))).to.equal(true);
  });

  it('takes every certificate for genuine without an authority to ask', async () => {
    const { trustedRoot } = await newAuthority();
    const without = { ...trustedRoot, certificateAuthorities: [] };
    const origin = originByTrustRoot(parseTrustRoot(JSON.stringify(without)));
    expect(origin.isGenuine(await verifierOf(await newCertificate('https://us', 'https://issuer')))).to.equal(
      true,
    );
  });
});
