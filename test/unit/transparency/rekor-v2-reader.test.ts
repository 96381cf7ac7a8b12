import { expect } from 'chai';
import { Agent } from 'undici';
import { emptyRange, extendRange, rootOfRange } from '../../../src/transparency/compact-range.ts';
import { hashLeaf } from '../../../src/transparency/merkle-proof.ts';
import { RekorV2Reader } from '../../../src/transparency/rekor-v2-reader.ts';
import { codeOfRejection } from '../signing/codes.ts';
import { signal, systemClock } from '../signing/signed-evidence.ts';
import { OwnTileLog } from './own-tile-log.ts';

const bodiesOf = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, at) => Buffer.from(`{"at":${at}}`));
const headOf = (bodies: readonly Buffer[]) => {
  const range = extendRange(emptyRange, bodies.map(hashLeaf));
  return { treeSize: range.size, rootHash: rootOfRange(range) };
};

describe('RekorV2Reader', () => {
  const agent = new Agent();
  const bodies = bodiesOf(700);
  let log: OwnTileLog;
  beforeEach(async () => {
    log = await OwnTileLog.open(bodies);
  });
  afterEach(async () => {
    await log[Symbol.asyncDispose]();
  });
  after(() => agent.close());

  const open = (keys = [log.key]) =>
    new RekorV2Reader({ url: log.url, dispatcher: agent, clock: systemClock, keys });

  it('gives the log as its one shard, named by the origin of its verified checkpoint', async () => {
    const [shard, another] = await open().shards({ signal });
    expect(shard).to.deep.include({ treeId: 'own.tiles', firstIndex: 0 });
    expect(shard?.checkpoint).to.deep.include(headOf(bodies));
    expect(another).to.equal(undefined);
  });

  it('refuses a checkpoint by another key, or of another log by a trusted key', async () => {
    await using other = await OwnTileLog.open();
    expect(await codeOfRejection(open([other.key]).shards({ signal }))).to.equal('ERR_LOG_CHECKPOINT');
    const renamed = { ...log.key, origin: 'another.log' };
    expect(await codeOfRejection(open([renamed]).shards({ signal }))).to.equal('ERR_LOG_ANSWER');
  });

  it('reads any stretch of entries in their order', async () => {
    const reader = open();
    await reader.shards({ signal });
    for (const [first, count] of [
      [0, 700],
      [255, 2],
      [699, 1],
      [512, 188],
    ] as const) {
      const entries = await reader.readEntries(first, count, { signal });
      expect(entries.map(({ body }) => body)).to.deep.equal(bodies.slice(first, first + count));
      expect(entries.map(({ logIndex }) => logIndex)).to.deep.equal(
        Array.from({ length: count }, (_, at) => first + at),
      );
    }
  });

  it('gives fewer entries than asked where they are large, and all of them in the end', async () => {
    const large = Array.from({ length: 300 }, (_, at) => Buffer.alloc(30_000, at));
    log.bodies = [...bodies.slice(0, 256), ...large, ...bodies.slice(0, 400)];
    const reader = open();
    await reader.shards({ signal });
    const steps: (readonly Buffer[])[] = [];
    for (let read = 0; read < log.bodies.length; read = steps.flat().length) {
      const entries = await reader.readEntries(read, log.bodies.length - read, { signal });
      expect(entries[0]?.logIndex).to.equal(read);
      steps.push(entries.map(({ body }) => body));
    }
    expect(steps.flat().map(hashLeaf)).to.deep.equal(log.bodies.map(hashLeaf));
    expect(steps.map(({ length }) => length)).to.deep.equal([256, 256, 256, 188]);
  });

  it('takes a full tile where the log dropped the partial one', async () => {
    const reader = open();
    log.shownSize = 300;
    await reader.shards({ signal });
    log.edit = (path, content) => (path.includes('.p/') ? undefined : content);
    expect(await reader.readEntries(290, 10, { signal })).to.have.length(10);
  });

  it('proves that the log was only appended to', async () => {
    const [older, newer] = [headOf(bodies.slice(0, 300)), headOf(bodies)];
    await open().proveConsistency('', [older, newer], { signal });
    const forged = { ...older, rootHash: newer.rootHash };
    expect(await codeOfRejection(open().proveConsistency('', [forged, newer], { signal }))).to.equal(
      'ERR_LOG_CONSISTENCY',
    );
  });

  it('finds a changed tile with ERR_LOG_CONSISTENCY, also one that it knew before', async () => {
    const reader = open();
    const states = [headOf(bodies.slice(0, 300)), headOf(bodies)] as const;
    await reader.proveConsistency('', states, { signal });
    log.edit = (path, content) => {
      if (path.startsWith('tile/0/')) content[40 * 32] = (content[40 * 32] ?? 0) ^ 1;
      return content;
    };
    await reader.shards({ signal });
    expect(await codeOfRejection(reader.proveConsistency('', states, { signal }))).to.equal(
      'ERR_LOG_CONSISTENCY',
    );
  });

  it('finds hashes that are not those of the entries below them, with ERR_LOG_CONSISTENCY', async () => {
    for (const [place, first] of [
      ['tile/0/001', 256],
      ['tile/0/002', 512],
      ['tile/1/000', 0],
    ] as const) {
      const reader = open();
      await reader.shards({ signal });
      log.edit = (path, content) => {
        if (path.startsWith(place)) content[5] = (content[5] ?? 0) ^ 1;
        return content;
      };
      expect(await codeOfRejection(reader.readEntries(first, 10, { signal })), place).to.equal(
        'ERR_LOG_CONSISTENCY',
      );
    }
  });

  it('tells of a tile that the log keeps back with ERR_LOG_ENTRY_MISSING', async () => {
    const reader = open();
    await reader.shards({ signal });
    log.edit = (path, content) => (path === 'tile/entries/001' ? undefined : content);
    expect(await codeOfRejection(reader.readEntries(0, 700, { signal }))).to.equal('ERR_LOG_ENTRY_MISSING');
  });

  it('refuses what is no tile with ERR_LOG_ANSWER', async () => {
    const reader = open();
    await reader.shards({ signal });
    log.edit = (_, content) => content.subarray(1);
    expect(await codeOfRejection(reader.readEntries(0, 1, { signal }))).to.equal('ERR_LOG_ANSWER');
  });

  it('gives the range of what comes before an index, shown to be part of the checkpoint', async () => {
    const reader = open();
    const [shard] = await reader.shards({ signal });
    for (const index of [0, 1, 256, 699, 700]) {
      expect(await reader.rangeUpTo(shard!, index, { signal })).to.deep.equal(
        extendRange(emptyRange, bodies.slice(0, index).map(hashLeaf)),
      );
    }
    log.edit = (path, content) => (path.startsWith('tile/0/') ? Buffer.alloc(content.length) : content);
    await reader.shards({ signal });
    expect(await codeOfRejection(reader.rangeUpTo(shard!, 300, { signal }))).to.equal('ERR_LOG_CONSISTENCY');
  });
});
