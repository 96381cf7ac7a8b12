import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import {
  Witnessing,
  fitToLogs,
  isWorthWitnessing,
  noTestimony,
} from '../../../src/attestation/witnessing.ts';
import type { Testimony, Witnesses } from '../../../src/attestation/witnessing.ts';
import { planArtifact } from '../../../src/attestation/planned-artifact.ts';
import { parseImageReference } from '../../../src/model/image-reference.ts';
import { AppError } from '../../../src/model/errors.ts';
import type { LoggedEntry, TransparencyLog } from '../../../src/transparency/transparency-log.ts';
import { codeOfRejection } from '../signing/codes.ts';

const { signal } = new AbortController();
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signed = {
  signature: Buffer.from('signature'),
  material: { kind: 'public-key', spkiDer: publicKey.export({ format: 'der', type: 'spki' }) },
  proposal: {
    kind: 'hashedrekord',
    payloadSha256: '00'.repeat(32),
    signature: Buffer.from('signature'),
    verifierPem: '',
  },
} as const;

/** A log that counts what it is asked for, and may be away. */
class FakeLog implements TransparencyLog {
  readonly url: string;
  readonly tellsTime: boolean;
  fault: AppError | undefined;
  entries = 0;

  constructor(url: string, tellsTime = true) {
    this.url = url;
    this.tellsTime = tellsTime;
  }

  append(): Promise<LoggedEntry> {
    if (this.fault !== undefined) return Promise.reject(this.fault);
    this.entries += 1;
    const recorded = { log: this.url, logIndex: this.entries, logId: 'ab', integratedTime: 1 };
    return Promise.resolve({ entry: {}, recorded } as LoggedEntry);
  }
}

const away = (kind: 'passing' | 'permanent' = 'passing'): AppError =>
  new AppError('ERR_TEST_AWAY', 'it is away', { kind });

function witnessesOf(...logs: readonly TransparencyLog[]): Witnesses {
  return { logs, timestampAuthorities: [], trustRoot: undefined };
}

async function witness(
  witnessing: Witnessing,
  witnesses: Witnesses,
  earlier: Testimony = noTestimony,
): Promise<{ readonly code: string; readonly testimony: Testimony }> {
  let testimony = earlier;
  const onProgress = (next: Testimony): void => {
    testimony = next;
  };
  const code = await codeOfRejection(witnessing.complete(signed, earlier, witnesses, { signal, onProgress }));
  return { code, testimony };
}

const logsOf = ({ entries }: Testimony): readonly string[] => entries.map(({ recorded }) => recorded.log);

describe('witnessing', () => {
  it('has every log take an entry, in the order of the settings', async () => {
    const [a, b] = [new FakeLog('https://a'), new FakeLog('https://b', false)];
    const { code, testimony } = await witness(new Witnessing(), witnessesOf(b, a));
    expect(code).to.equal('passed');
    expect(logsOf(testimony)).to.deep.equal(['https://b', 'https://a']);
  });

  it('asks no log twice: what one took is kept while another is away', async () => {
    const [a, b] = [new FakeLog('https://a'), new FakeLog('https://b')];
    const witnessing = new Witnessing();
    b.fault = away();
    const first = await witness(witnessing, witnessesOf(a, b));
    expect(first.code).to.equal('ERR_TEST_AWAY');
    expect(logsOf(first.testimony)).to.deep.equal(['https://a']);
    const second = await witness(witnessing, witnessesOf(a, b), first.testimony);
    expect(second.code).to.equal('ERR_TEST_AWAY');
    b.fault = undefined;
    const third = await witness(witnessing, witnessesOf(a, b), second.testimony);
    expect(third.code).to.equal('passed');
    expect(logsOf(third.testimony)).to.deep.equal(['https://a', 'https://b']);
    expect([a.entries, b.entries]).to.deep.equal([1, 1]);
  });

  it('asks a log that was away first, so that others get no entries for nothing', async () => {
    const [a, b] = [new FakeLog('https://a'), new FakeLog('https://b')];
    const witnessing = new Witnessing();
    b.fault = away();
    await witness(witnessing, witnessesOf(a, b));
    for (let count = 0; count < 5; count += 1) await witness(witnessing, witnessesOf(a, b));
    expect(a.entries).to.equal(1);
    b.fault = undefined;
    expect((await witness(witnessing, witnessesOf(a, b))).code).to.equal('passed');
    b.fault = away('permanent');
    await witness(witnessing, witnessesOf(a, b));
    await witness(witnessing, witnessesOf(a, b));
    expect(a.entries, 'a refusal is about that entry alone').to.equal(4);
  });

  it('keeps entries of logs that are asked for no more, and asks the new ones', async () => {
    const [old, next] = [new FakeLog('https://log2025'), new FakeLog('https://log2026')];
    const before = await witness(new Witnessing(), witnessesOf(old));
    const after = await witness(new Witnessing(), witnessesOf(next), before.testimony);
    expect(logsOf(after.testimony)).to.deep.equal(['https://log2026', 'https://log2025']);
    expect(old.entries).to.equal(1);
  });

  it('logs nothing before every authority stamped, and refuses stamps that do not verify', async () => {
    const log = new FakeLog('https://a');
    const stamp = (work: () => Promise<Uint8Array>): Witnesses => ({
      ...witnessesOf(log),
      timestampAuthorities: [{ url: 'https://tsa', stamp: work }],
    });
    expect(
      (
        await witness(
          new Witnessing(),
          stamp(() => Promise.reject(away())),
        )
      ).code,
    ).to.equal('ERR_TEST_AWAY');
    const forged = stamp(() => Promise.resolve(Buffer.from('3003020100', 'hex')));
    expect((await witness(new Witnessing(), forged)).code).to.equal('ERR_TIMESTAMP_UNTRUSTED');
    expect(log.entries).to.equal(0);
  });
});

describe('a signature whose certificate has expired', () => {
  const life = { notAfter: new Date(1000), now: new Date(2000) };
  const [v1, v2] = [new FakeLog('https://v1'), new FakeLog('https://v2', false)];
  const authority = { url: 'https://tsa', stamp: () => Promise.reject(away()) };
  const entryIn = ({ url: log }: FakeLog): LoggedEntry =>
    ({ entry: {}, recorded: { log, logIndex: 1, logId: 'ab', integratedTime: 1 } }) as LoggedEntry;
  const timestamps = [{ authority: 'https://tsa', der: Buffer.alloc(0) }];

  for (const [what, testimony, logs, isWorth] of [
    ['nobody vouched for', noTestimony, [v1], false],
    ['its log took', { entries: [entryIn(v1)], timestamps: [] }, [v1], true],
    [
      'one of two logs took',
      { entries: [entryIn(v1)], timestamps: [] },
      [v1, new FakeLog('https://b')],
      false,
    ],
  ] as const) {
    it(`and that ${what} is ${isWorth ? 'still' : 'no longer'} of use`, () => {
      expect(isWorthWitnessing(testimony, witnessesOf(...logs), life)).to.equal(isWorth);
    });
  }

  it('can still be logged by a log that tells no time, once it is stamped', () => {
    const witnesses = { ...witnessesOf(v2), timestampAuthorities: [authority] };
    expect(isWorthWitnessing(noTestimony, witnesses, life)).to.equal(false);
    expect(isWorthWitnessing({ entries: [], timestamps }, witnesses, life)).to.equal(true);
    const both = { ...witnesses, logs: [v1, v2] };
    expect(isWorthWitnessing({ entries: [], timestamps }, both, life)).to.equal(false);
    expect(isWorthWitnessing({ entries: [entryIn(v1)], timestamps }, both, life)).to.equal(true);
  });
});

describe('what logs leave of a plan', () => {
  const repository = parseImageReference('harbor.example/app').repository;
  const image = { repository, digest: `sha256:${'00'.repeat(32)}` } as never;
  const planOf = (layout: 'tag' | 'referrer' | 'shared') =>
    planArtifact({
      kind: 'signature',
      form: layout === 'tag' ? 'simple-signing' : 'statement',
      layout,
      subject: 'app',
      payload: Buffer.from(layout),
      destinations: [
        { image, repository, layout: 'tag' },
        { image, repository, layout: 'referrer' },
      ],
      isKeptOnRun: false,
    });
  const plan = [planOf('tag'), planOf('referrer'), planOf('shared')];

  it('is all of it where one log tells time, or none is asked', () => {
    const [v1, v2] = [new FakeLog('https://v1'), new FakeLog('https://v2', false)];
    expect(fitToLogs(plan, witnessesOf(v2, v1))).to.equal(plan);
    expect(fitToLogs(plan, witnessesOf())).to.equal(plan);
  });

  it("is no tag where all logs are Rekor v2: cosign's tags cannot hold its entries", () => {
    const left = fitToLogs(plan, witnessesOf(new FakeLog('https://v2', false)));
    expect(left.map(({ layout }) => layout)).to.deep.equal(['referrer', 'shared']);
    expect(left.flatMap(({ destinations }) => destinations.map(({ layout }) => layout))).to.deep.equal([
      'referrer',
      'referrer',
    ]);
  });
});
