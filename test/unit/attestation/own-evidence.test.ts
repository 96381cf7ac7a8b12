import { expect } from 'chai';
import { OwnEvidence } from '../../../src/attestation/own-evidence.ts';
import { attest, makeKey, signal, systemClock } from '../signing/signed-evidence.ts';
import type { Attested } from '../signing/signed-evidence.ts';
import { openSigstore } from './world.ts';
import type { Sigstore } from './world.ts';

describe('our own evidence', () => {
  let sigstore: Sigstore;
  let ours: Attested;
  let theirs: Attested;
  let evidence: OwnEvidence;
  before(async () => {
    sigstore = await openSigstore();
    ours = await attest(sigstore.workshop);
    theirs = await attest(sigstore.stranger);
    const { trustRoot } = sigstore.workshop;
    evidence = new OwnEvidence({ trustRoot: () => trustRoot, isLogged: true, clock: systemClock });
  });
  after(() => sigstore[Symbol.asyncDispose]());

  it('is told by identity, in both layouts, with its payload and log entry', () => {
    for (const found of [evidence.verify(ours.layer, ours.key), evidence.verify(ours.bundle, ours.key)]) {
      expect(Buffer.from(found?.payload ?? [])).to.deep.equal(ours.payload);
      expect(found?.entries[0]?.logIndex).to.equal(Number(ours.entry.logIndex));
    }
  });

  it('is not what another identity signed, though the same authority certified it', () => {
    expect(evidence.verify(theirs.layer, ours.key)).to.equal(undefined);
    expect(evidence.verify(theirs.bundle, ours.key)).to.equal(undefined);
    expect(evidence.verify(theirs.layer, theirs.key)).to.not.equal(undefined);
  });

  it('stays ours when the key was renewed', async () => {
    const renewed = await sigstore.renewed.signer.acquire({ signal });
    expect(renewed.fingerprint).to.not.equal(ours.key.fingerprint);
    expect(evidence.verify(ours.layer, renewed)).to.not.equal(undefined);
  });

  it('is nothing that was changed, or is no evidence at all', () => {
    const content = Buffer.from(ours.layer.content);
    content[20] = (content[20] ?? 0) ^ 1;
    expect(evidence.verify({ ...ours.layer, content }, ours.key)).to.equal(undefined);
    expect(evidence.verify({ ...ours.layer, annotations: {} }, ours.key)).to.equal(undefined);
    expect(evidence.verify({ layout: 'bundle', bytes: Buffer.from('{}') }, ours.key)).to.equal(undefined);
  });

  it('cannot be told without a trust root', () => {
    const blind = new OwnEvidence({ trustRoot: () => undefined, isLogged: true, clock: systemClock });
    expect(blind.verify(ours.layer, ours.key)).to.equal(undefined);
  });

  it('is told by the key itself where a long-lived key signs', async () => {
    const [key, other] = [makeKey(), makeKey()];
    const signed = await attest({ ...sigstore.workshop, signer: { acquire: () => Promise.resolve(key) } });
    expect(evidence.verify(signed.layer, key)).to.not.equal(undefined);
    expect(evidence.verify(signed.layer, other)).to.equal(undefined);
    expect(evidence.verify(signed.layer, ours.key)).to.equal(undefined);
  });

  it('is told by such a key without trust root or log entry where nothing is logged', async () => {
    const [key, other] = [makeKey(), makeKey()];
    const { layer } = await attest({ ...sigstore.workshop, signer: { acquire: () => Promise.resolve(key) } });
    const bare = { ...layer, annotations: {} };
    const unlogged = new OwnEvidence({ trustRoot: () => undefined, isLogged: false, clock: systemClock });
    expect(unlogged.verify(bare, key)).to.not.equal(undefined);
    expect(unlogged.verify(bare, other)).to.equal(undefined);
    expect(unlogged.verify(ours.layer, ours.key), 'a certificate').to.equal(undefined);
    const logged = new OwnEvidence({ trustRoot: () => undefined, isLogged: true, clock: systemClock });
    expect(logged.verify(bare, key), 'where it should be logged').to.equal(undefined);
  });

  it('is told by such a key also where a certificate of any authority stands for it', async () => {
    const { notAfter: _, ...key } = await sigstore.renewed.signer.acquire({ signal });
    const { layer } = await attest({ ...sigstore.workshop, signer: { acquire: () => Promise.resolve(key) } });
    const unlogged = new OwnEvidence({ trustRoot: () => undefined, isLogged: false, clock: systemClock });
    expect(unlogged.verify(layer, key)).to.not.equal(undefined);
    expect(unlogged.verify(ours.layer, key), 'of the same identity').to.equal(undefined);
    expect(evidence.verify(layer, key), 'with its log entry').to.not.equal(undefined);
  });
});
