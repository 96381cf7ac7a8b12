import { expect } from 'chai';
import { Agent } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { verifierPem } from '../../../src/model/signature.ts';
import { parseTrustRoot } from '../../../src/signing/trust-root.ts';
import { verifySignedEntity } from '../../../src/signing/verification.ts';
import { codeOf } from './codes.ts';
import { attest, expectController, openWorkshop, signal } from './signed-evidence.ts';
import type { Attested, Workshop } from './signed-evidence.ts';

interface WrittenEntry {
  readonly canonicalizedBody: string;
  readonly logId: { readonly keyId: string };
}

interface WrittenLog {
  readonly publicKey: object;
}

describe('evidence with entries of several logs', () => {
  const agent = new Agent();
  let own: DevelopmentSigstore;
  let other: DevelopmentSigstore;
  let workshop: Workshop;
  let signed: Attested;
  let entries: readonly [WrittenEntry, WrittenEntry];

  before(async () => {
    own = await startDevelopmentSigstore();
    other = await startDevelopmentSigstore();
    workshop = openWorkshop(own, agent);
    signed = await attest(workshop);
    const envelope = Buffer.from(signed.layer.content).toString('utf8');
    const proposal = { kind: 'dsse', envelope, verifierPem: verifierPem(signed.key.material) } as const;
    const { entry } = await openWorkshop(other, agent).rekor.append(proposal, { signal });
    const { TransparencyLogEntry } = await import('@sigstore/protobuf-specs');
    entries = [signed.entry, entry].map((one) => TransparencyLogEntry.toJSON(one)) as never;
  });
  after(async () => {
    await agent.destroy();
    await own[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });

  /** The trust root of our own Sigstore with these logs. */
  const rootWith = (tlogs: readonly unknown[]) =>
    parseTrustRoot(JSON.stringify({ ...own.trustedRoot, tlogs }));
  const logOf = ({ trustedRoot }: DevelopmentSigstore): WrittenLog =>
    (JSON.parse(JSON.stringify(trustedRoot)) as { tlogs: [WrittenLog] }).tlogs[0];
  const verify = (tlogEntries: readonly object[], tlogs: readonly unknown[]): readonly number[] => {
    const bundle = JSON.parse(Buffer.from(signed.bundle.bytes).toString('utf8')) as {
      verificationMaterial: object;
    };
    const verificationMaterial = { ...bundle.verificationMaterial, tlogEntries };
    const bytes = Buffer.from(JSON.stringify({ ...bundle, verificationMaterial }));
    const demands = { ...workshop.demands, at: new Date(), trustRoot: rootWith(tlogs) };
    const { logEntries, witnessedAt } = verifySignedEntity(
      { layout: 'bundle', bytes },
      expectController,
      demands,
    );
    expect(witnessedAt).to.have.lengthOf(logEntries.length);
    return logEntries.map(({ logIndex }) => logIndex);
  };
  const code = (tlogEntries: readonly object[], tlogs: readonly unknown[]): string =>
    codeOf(() => verify(tlogEntries, tlogs));
  const forged = (entry: WrittenEntry): WrittenEntry => {
    const body = Buffer.from(entry.canonicalizedBody, 'base64').toString('utf8');
    const changed = body.replace(/(?<="payloadHash":\{"algorithm":"sha256","value":")../, (digits) =>
      digits === '00' ? '11' : '00',
    );
    expect(changed).not.to.equal(body);
    return { ...entry, canonicalizedBody: Buffer.from(changed).toString('base64') };
  };

  it('passes with both logs trusted, and with one of them', () => {
    const [mine, theirs] = entries;
    expect(verify([mine, theirs], [logOf(own), logOf(other)])).to.have.lengthOf(2);
    expect(verify([mine, theirs], [logOf(own)])).to.have.lengthOf(1);
    expect(verify([theirs, mine], [logOf(other)])).to.have.lengthOf(1);
  });

  it('is refused with ERR_VERIFY_SET where no log is trusted', () => {
    expect(code(entries, [])).to.equal('ERR_VERIFY_SET');
    expect(code([entries[1]], [logOf(own)])).to.equal('ERR_VERIFY_SET');
  });

  it('is refused where an entry of a trusted log is bad, whatever the other one says', () => {
    const [mine, theirs] = entries;
    const logs = [logOf(own), logOf(other)];
    expect(code([forged(mine), theirs], logs)).to.match(/^ERR_VERIFY_/);
    expect(code([mine, forged(theirs)], logs)).to.match(/^ERR_VERIFY_/);
    expect(code([{ ...mine, logId: theirs.logId }, theirs], logs)).to.match(/^ERR_VERIFY_/);
    expect(code([forged(mine), theirs], [logOf(own)])).to.match(/^ERR_VERIFY_/);
    expect(code([mine, mine], logs), 'twice the same').to.equal('ERR_VERIFY_TIMESTAMP');
  });

  it('of a shard that was closed passes if the entry was made in its time', () => {
    const hour = 3_600_000;
    const window = (from: number, to: number): object => {
      const log = logOf(own);
      const [start, end] = [from, to].map((shift) => new Date(Date.now() + shift * hour).toISOString());
      return { ...log, publicKey: { ...log.publicKey, validFor: { start, end } } };
    };
    const [mine] = entries;
    expect(verify([mine], [window(-2, 1), logOf(other)])).to.have.lengthOf(1);
    expect(code([mine], [window(-2, -1), logOf(other)])).to.equal('ERR_VERIFY_SET');
    expect(code([mine], [window(1, 2), logOf(other)])).to.equal('ERR_VERIFY_SET');
  });
});
