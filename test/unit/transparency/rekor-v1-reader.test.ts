import { expect } from 'chai';
import { Agent } from 'undici';
import { extendRange, rootOfRange } from '../../../src/transparency/compact-range.ts';
import { hashLeaf } from '../../../src/transparency/merkle-proof.ts';
import { RekorV1Reader } from '../../../src/transparency/rekor-v1-reader.ts';
import { codeOfRejection } from '../signing/codes.ts';
import { signal, systemClock } from '../signing/signed-evidence.ts';
import { OwnLog } from './own-log.ts';

const bodiesOf = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, at) => Buffer.from(`{"kind":"test","apiVersion":"1","at":${at}}`));

describe('RekorV1Reader', () => {
  const agent = new Agent();
  let log: OwnLog;
  beforeEach(async () => {
    log = await OwnLog.open(bodiesOf(37));
  });
  afterEach(async () => {
    await log[Symbol.asyncDispose]();
  });
  after(() => agent.close());

  const open = (keys = [log.key]) =>
    new RekorV1Reader({ url: log.url, dispatcher: agent, clock: systemClock, keys });
  const headOf = (bodies: readonly Buffer[]) => {
    const range = extendRange({ size: 0n, hashes: [] }, bodies.map(hashLeaf));
    return { treeSize: range.size, rootHash: rootOfRange(range) };
  };

  it('gives the shards of a log with their verified checkpoints and first indexes', async () => {
    log.trees.push({ treeId: '2', bodies: bodiesOf(3) });
    const shards = await open().shards({ signal });
    expect(
      shards.map(({ treeId, firstIndex, checkpoint }) => [treeId, firstIndex, checkpoint.treeSize]),
    ).to.deep.equal([
      ['1', 0, 37n],
      ['2', 37, 3n],
    ]);
  });

  it('refuses a checkpoint that no trusted key signed with ERR_LOG_CHECKPOINT', async () => {
    await using other = await OwnLog.open();
    expect(await codeOfRejection(open([other.key]).shards({ signal }))).to.equal('ERR_LOG_CHECKPOINT');
  });

  it('reads any stretch of entries in their order, also across shards', async () => {
    log.trees.push({ treeId: '2', bodies: bodiesOf(20) });
    const entries = await open().readEntries(5, 45, { signal });
    expect(entries.map(({ logIndex }) => logIndex)).to.deep.equal(
      Array.from({ length: 45 }, (_, at) => at + 5),
    );
    expect(entries.map(({ body }) => body)).to.deep.equal([...bodiesOf(37), ...bodiesOf(20)].slice(5, 50));
  });

  it('tells of an entry that the log keeps back with ERR_LOG_ENTRY_MISSING', async () => {
    log.hidden.add(17);
    expect(await codeOfRejection(open().readEntries(0, 37, { signal }))).to.equal('ERR_LOG_ENTRY_MISSING');
  });

  it('gives the range up to any index of a shard', async () => {
    const [shard] = await open().shards({ signal });
    for (const index of [0, 1, 8, 23, 36, 37]) {
      const range = await open().rangeUpTo(shard!, index, { signal });
      expect(rootOfRange(range)).to.deep.equal(headOf(bodiesOf(index)).rootHash);
    }
  });

  it('passes a log that was only appended to, and refuses another with ERR_LOG_CONSISTENCY', async () => {
    const older = headOf(bodiesOf(21));
    const [shard] = await open().shards({ signal });
    await open().proveConsistency('1', [older, shard!.checkpoint], { signal });
    log.trees[0]!.bodies[3] = Buffer.from('forged');
    const [forged] = await open().shards({ signal });
    expect(
      await codeOfRejection(open().proveConsistency('1', [older, forged!.checkpoint], { signal })),
    ).to.equal('ERR_LOG_CONSISTENCY');
  });

  it('gives fewer entries than asked where they are large, and all of them in the end', async () => {
    const large = Buffer.from(JSON.stringify({ kind: 'test', padding: 'x'.repeat(1.6 * 1024 * 1024) }));
    const bodies = [...bodiesOf(15), large, large, large, ...bodiesOf(40)];
    log.trees[0]!.bodies = bodies;
    const reader = open();
    const steps: (readonly Buffer[])[] = [];
    for (let read = 0; read < bodies.length; read = steps.flat().length) {
      const entries = await reader.readEntries(read, bodies.length - read, { signal });
      expect(entries[0]?.logIndex).to.equal(read);
      steps.push(entries.map(({ body }) => body));
    }
    expect(steps.flat().map(hashLeaf)).to.deep.equal(bodies.map(hashLeaf));
    // The first call alone; one entry a call where a large one was met; several calls at once again.
    expect(steps.map(({ length }) => length)).to.deep.equal([10, 10, 10, 28]);
  });

  it('gives up when the log fails, with ERR_LOG_UNAVAILABLE', async () => {
    log.failing = 503;
    expect(await codeOfRejection(open().readEntries(0, 30, { signal }))).to.equal('ERR_LOG_UNAVAILABLE');
  });
});
