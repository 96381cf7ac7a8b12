import type { TransparencyLogEntry } from '@sigstore/bundle';
import { expect } from 'chai';
import { requireProvenEntry } from '../../../src/signing/proven-entry.ts';
import { noTrust } from '../../../src/signing/trust-root.ts';
import { codeOf } from './codes.ts';

const keyId = Buffer.alloc(32, 7);
const [early, inside, late] = ['2026-01-01', '2026-02-15', '2026-04-01'].map((day) => new Date(day)) as [
  Date,
  Date,
  Date,
];
const log = {
  logID: keyId,
  baseURL: 'https://rekor2.example',
  publicKey: undefined as never,
  validFor: { start: new Date('2026-02-01'), end: new Date('2026-03-01') },
};

/** How an entry without promise is judged that a log of February 2026 proves. */
function judge(
  witnessed: readonly Date[],
  { at = inside, ...changed }: Partial<TransparencyLogEntry> & { readonly at?: Date } = {},
): string {
  const entry = {
    logIndex: '83',
    logId: { keyId },
    kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
    inclusionPromise: undefined,
    inclusionProof: { logIndex: '83' },
    ...changed,
  } as TransparencyLogEntry;
  const material = { ...noTrust.material, tlogs: [log] };
  return codeOf(() => {
    requireProvenEntry(entry, { witnessed, at }, { material });
  });
}

describe('requireProvenEntry', () => {
  it('accepts a proof if the log was trusted at a witnessed time, whatever the time is now', () => {
    expect(judge([inside], { at: late })).to.equal('passed');
    expect(judge([late, inside])).to.equal('passed');
  });

  it('refuses a proof of a log that was not trusted at any witnessed time with ERR_VERIFY_CHECKPOINT', () => {
    for (const time of [early, late]) expect(judge([time])).to.equal('ERR_VERIFY_CHECKPOINT');
    expect(judge([early, late])).to.equal('ERR_VERIFY_CHECKPOINT');
    expect(judge([inside], { logId: { keyId: Buffer.alloc(32, 8) } })).to.equal('ERR_VERIFY_CHECKPOINT');
  });

  it('wants the log trusted now where nobody witnessed a time, else ERR_VERIFY_CHECKPOINT', () => {
    expect(judge([], { at: inside })).to.equal('passed');
    for (const at of [early, late]) expect(judge([], { at })).to.equal('ERR_VERIFY_CHECKPOINT');
  });

  it('leaves the time of a promise to the check of the promise', () => {
    const inclusionPromise = { signedEntryTimestamp: Buffer.of(1) };
    expect(judge([late], { inclusionPromise })).to.equal('passed');
  });

  it('refuses an entry of Rekor v2 at another index than its proof’s with ERR_VERIFY_INCLUSION_PROOF', () => {
    for (const kind of ['hashedrekord', 'dsse']) {
      const kindVersion = { kind, version: '0.0.2' };
      expect(judge([inside], { kindVersion, logIndex: '4711' })).to.equal('ERR_VERIFY_INCLUSION_PROOF');
    }
    expect(judge([inside], { inclusionProof: undefined })).to.equal('ERR_VERIFY_INCLUSION_PROOF');
  });

  it('lets an entry of Rekor v1 have an index over all trees of its log', () => {
    for (const [kind, version] of [
      ['hashedrekord', '0.0.1'],
      ['intoto', '0.0.2'],
    ] as const) {
      expect(judge([inside], { kindVersion: { kind, version }, logIndex: '4711' })).to.equal('passed');
    }
  });
});
