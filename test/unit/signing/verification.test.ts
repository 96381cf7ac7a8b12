import { expect } from 'chai';
import { Agent } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { verifySignedEntity } from '../../../src/signing/verification.ts';
import { attest, controllerIdentity, expectController, openWorkshop, signImage } from './signed-evidence.ts';
import type { Workshop } from './signed-evidence.ts';

describe('verifySignedEntity', () => {
  let sigstore: DevelopmentSigstore;
  let workshop: Workshop;
  const agent = new Agent();

  before(async () => {
    sigstore = await startDevelopmentSigstore();
    workshop = openWorkshop(sigstore, agent);
  });
  after(async () => {
    await agent.close();
    await sigstore[Symbol.asyncDispose]();
  });

  it('accepts an image signature in the tag layout and gives who signed what and where it is logged', async () => {
    const { layer, entry, payload } = await signImage(workshop);
    const verified = verifySignedEntity(layer, expectController, workshop.demands);
    expect(verified.signer).to.deep.include({ kind: 'certificate', identity: controllerIdentity });
    expect(Buffer.from(verified.payload).equals(payload)).to.equal(true);
    expect(verified.logEntries.map(({ logIndex }) => logIndex)).to.deep.equal([Number(entry.logIndex)]);
    expect(verified.witnessedAt).to.have.lengthOf(1);
  });

  it('accepts an attestation in both layouts', async () => {
    const { layer, bundle, payload } = await attest(workshop);
    for (const evidence of [layer, bundle]) {
      const verified = verifySignedEntity(evidence, expectController, workshop.demands);
      expect(verified.payloadType).to.equal('application/vnd.in-toto+json');
      expect(Buffer.from(verified.payload).equals(payload)).to.equal(true);
    }
  });
});
