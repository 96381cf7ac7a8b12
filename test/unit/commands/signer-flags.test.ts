import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { policyOfFlags } from '../../../src/commands/verify/flag-policy.ts';
import { wantedWitness } from '../../../src/commands/verify/signer-flags.ts';
import type { SignerFlags } from '../../../src/commands/verify/signer-flags.ts';
import { newAuthorityChain } from '../../support/certificate-chains.ts';
import { codeOf, codeOfRejection } from '../signing/codes.ts';

const options = { environment: {}, signal: new AbortController().signal };
const identity: SignerFlags = {
  certificateIdentity: 'https://ci.example/build',
  certificateOidcIssuer: 'https://issuer.example',
};

describe('who must have signed, by cosign’s flags', () => {
  let folder: string;
  let chain: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-flags-'));
    chain = join(folder, 'chain.pem');
    const { root, intermediate } = await newAuthorityChain();
    await writeFile(chain, `${intermediate}\n${root}`);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const witnesses: readonly (readonly [flags: SignerFlags, witness: string])[] = [
    [{}, 'log'],
    [{ key: 'cosign.pub' }, 'log'],
    [{ key: 'cosign.pub', insecureIgnoreTlog: true }, 'nobody'],
    [{ key: 'cosign.pub', privateInfrastructure: true }, 'nobody'],
    [{ insecureIgnoreTlog: true, useSignedTimestamps: true }, 'timestamp'],
    [{ key: 'cosign.pub', privateInfrastructure: true, useSignedTimestamps: true }, 'timestamp'],
  ];
  for (const [flags, witness] of witnesses) {
    it(`wants ${witness} as witness with ${JSON.stringify(flags)}`, () => {
      expect(wantedWitness(flags)).to.equal(witness);
    });
  }

  for (const flags of [
    { insecureIgnoreTlog: true },
    { privateInfrastructure: true },
    { useSignedTimestamps: true },
    { key: 'cosign.pub', useSignedTimestamps: true },
  ]) {
    it(`refuses ${JSON.stringify(flags)} with ERR_USAGE_FLAGS`, () => {
      expect(codeOf(() => wantedWitness(flags))).to.equal('ERR_USAGE_FLAGS');
    });
  }

  it('makes a policy that wants a log entry, and asks the log of --rekor-url', async () => {
    const { authorities } = await policyOfFlags({ ...identity, rekorUrl: 'https://rekor.example' }, options);
    expect(authorities[0]?.ctlog).to.deep.equal({ url: 'https://rekor.example' });
    const plain = await policyOfFlags(identity, options);
    expect(plain.authorities[0]?.ctlog).to.deep.equal({});
  });

  it('makes a policy that wants a timestamp', async () => {
    const flags = { ...identity, insecureIgnoreTlog: true, useSignedTimestamps: true };
    const { authorities } = await policyOfFlags(flags, options);
    expect(authorities[0]).to.deep.include({ rfc3161timestamp: {} });
    expect(authorities[0]?.ctlog).to.equal(undefined);
  });

  it('takes authorities instead of Fulcio’s', async () => {
    for (const flags of [
      { certificateChain: chain },
      { caRoots: chain },
      { caRoots: chain, caIntermediates: chain },
    ]) {
      const { authorities } = await policyOfFlags({ ...identity, ...flags }, options);
      expect(authorities[0]?.keyless?.['ca-cert']?.data).to.include('BEGIN CERTIFICATE');
    }
  });

  it('refuses authorities that make no sense with ERR_USAGE_FLAGS', async () => {
    for (const flags of [
      { ...identity, certificateChain: chain, caRoots: chain },
      { ...identity, caIntermediates: chain },
      { key: chain, caRoots: chain },
      { ...identity, key: chain },
      { certificateIdentity: 'somebody' },
    ]) {
      expect(await codeOfRejection(policyOfFlags(flags, options))).to.equal('ERR_USAGE_FLAGS');
    }
  });
});
