import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { Agent } from 'undici';
import { identityToken, openStack } from '../../../hack/stack/stack.ts';
import { verifySignedEntity } from '../../../src/signing/verification.ts';
import {
  attest,
  controllerIdentity,
  expectController,
  openWorkshop,
  signImage,
} from '../../unit/signing/signed-evidence.ts';
import type { Workshop } from '../../unit/signing/signed-evidence.ts';

describe('keyless signing with the real Fulcio, CT log and Rekor', () => {
  const agent = new Agent();
  let workshop: Workshop;

  before(async () => {
    const stack = await openStack();
    const trustedRoot = JSON.parse(await readFile(stack.trustedRoot, 'utf8')) as object;
    workshop = openWorkshop(
      {
        fulcioUrl: stack.fulcioUrl,
        rekorUrl: stack.rekorUrl,
        trustedRoot,
        issueToken: () => identityToken(),
      },
      agent,
    );
  });
  after(() => agent.close());

  it('verifies an image signature that it made and logged', async () => {
    const { layer } = await signImage(workshop);
    const verified = verifySignedEntity(layer, expectController, workshop.demands);
    expect(verified.signer).to.deep.include({ identity: controllerIdentity });
  });

  it('verifies an attestation in both layouts that it made and logged once', async () => {
    const { layer, bundle } = await attest(workshop, new Date().toISOString());
    const indices = [layer, bundle].map(
      (evidence) => verifySignedEntity(evidence, expectController, workshop.demands).logEntries[0]?.logIndex,
    );
    expect(indices[0]).to.be.a('number');
    expect(indices[0]).to.equal(indices[1]);
  });
});
