import { expect } from 'chai';
import { planArtifact } from '../../../src/attestation/planned-artifact.ts';
import type { PlannedArtifact } from '../../../src/attestation/planned-artifact.ts';
import { PendingSignatures } from '../../../src/attestation/signed-artifact.ts';
import type { SignedArtifact } from '../../../src/attestation/signed-artifact.ts';
import { noTestimony } from '../../../src/attestation/witnessing.ts';
import type { Witnesses } from '../../../src/attestation/witnessing.ts';
import type { LoggedEntry, TransparencyLog } from '../../../src/transparency/transparency-log.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';

const entry = {
  entry: {},
  recorded: { log: 'https://rekor', logIndex: 7, logId: 'ab', integratedTime: 1 },
} as LoggedEntry;

const log: TransparencyLog = {
  url: 'https://rekor',
  tellsTime: true,
  append: () => Promise.reject(new Error()),
};
const witnesses: Witnesses = { logs: [log], timestampAuthorities: [], trustRoot: undefined };

function planOf(payload: string | Uint8Array): PlannedArtifact {
  return planArtifact({
    kind: 'provenance',
    form: 'statement',
    layout: 'shared',
    subject: 'app@sha256:0',
    payload: Buffer.from(payload),
    destinations: [],
    isKeptOnRun: true,
  });
}

function signedOf(planned: PlannedArtifact, notAfter?: Date): SignedArtifact {
  const material = { kind: 'public-key', spkiDer: Buffer.from('key') } as const;
  const key = { material, fingerprint: 'ab', ...(notAfter === undefined ? {} : { notAfter }) };
  return { planned, key, signature: Buffer.from('signature'), testimony: noTestimony };
}

describe('pending signatures', () => {
  const clock = new VirtualClock();
  const inAMinute = (): Date => new Date(clock.now().getTime() + 60_000);

  it('gives back what was signed for a run, with the plan of the present try', () => {
    const pending = new PendingSignatures(clock);
    pending.keep('run', signedOf(planOf('a')));
    const again = planOf('a');
    expect(pending.find('run', again, witnesses)?.planned).to.equal(again);
  });

  it('tells runs and payloads apart', () => {
    const pending = new PendingSignatures(clock);
    pending.keep('run', signedOf(planOf('a')));
    expect(pending.find('other', planOf('a'), witnesses)).to.equal(undefined);
    expect(pending.find('run', planOf('b'), witnesses)).to.equal(undefined);
  });

  it('drops a signature whose key expired before the log took it', async () => {
    const pending = new PendingSignatures(clock);
    pending.keep('run', signedOf(planOf('a'), inAMinute()));
    expect(pending.find('run', planOf('a'), witnesses)).to.not.equal(undefined);
    await clock.advance(60_000);
    expect(pending.find('run', planOf('a'), witnesses)).to.equal(undefined);
  });

  it('keeps a logged signature after its key expired: the log states when it was made', async () => {
    const pending = new PendingSignatures(clock);
    const signed = signedOf(planOf('a'), inAMinute());
    pending.keep('run', { ...signed, testimony: { entries: [entry], timestamps: [] } });
    await clock.advance(600_000);
    expect(pending.find('run', planOf('a'), witnesses)?.testimony.entries).to.deep.equal([entry]);
  });

  it('forgets the artifacts of a run that is settled', () => {
    const pending = new PendingSignatures(clock);
    pending.keep('run', signedOf(planOf('a')));
    pending.keep('run', signedOf(planOf('b')));
    pending.forget('run', [planOf('a')]);
    expect(pending.find('run', planOf('a'), witnesses)).to.equal(undefined);
    expect(pending.find('run', planOf('b'), witnesses)).to.not.equal(undefined);
  });

  it('holds no more than its bound of bytes, the newest ones', () => {
    const pending = new PendingSignatures(clock);
    const plans = [1, 2, 3, 4, 5].map((fill) => planOf(Buffer.alloc(32 * 1024 * 1024, fill)));
    for (const plan of plans) pending.keep('run', signedOf(plan));
    const kept = plans.map((plan) => pending.find('run', plan, witnesses) !== undefined);
    expect(kept).to.deep.equal([false, false, true, true, true]);
  });
});
