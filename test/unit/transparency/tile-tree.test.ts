import { expect } from 'chai';
import fc from 'fast-check';
import { emptyRange, extendRange, rootOfRange } from '../../../src/transparency/compact-range.ts';
import { verifyConsistency } from '../../../src/transparency/consistency-proof.ts';
import { hashChildren, hashLeaf } from '../../../src/transparency/merkle-proof.ts';
import { parseBundle, parseTile, tilePath } from '../../../src/transparency/tile-format.ts';
import { TileTree, widthOfTile } from '../../../src/transparency/tile-tree.ts';
import type { TileSource } from '../../../src/transparency/tile-tree.ts';
import { consistencyProofOf } from './consistency-tree.ts';

const leaves = Array.from({ length: 70_000 }, (_, at) => hashLeaf(Buffer.from(String(at))));
const levels = [leaves];
for (let level = 1; level <= 16; level += 1) {
  const below = levels[level - 1]!;
  levels.push(
    Array.from({ length: Math.floor(below.length / 2) }, (_, at) =>
      hashChildren(below[2 * at]!, below[2 * at + 1]!),
    ),
  );
}
/** Tiles of just the width that a tree of that size has. */
const tilesOf =
  (size: number): TileSource =>
  ({ level, index, width }) => {
    expect(width).to.equal(widthOfTile(level, index, size));
    return Promise.resolve(levels[level * 8]!.slice(index * 256, index * 256 + width));
  };
const headOf = (size: number) => {
  const range = extendRange(emptyRange, leaves.slice(0, size));
  return { treeSize: range.size, rootHash: rootOfRange(range) };
};

describe('TileTree', () => {
  it('proves from tiles just what the definition says', async () => {
    const states = fc
      .integer({ min: 2, max: 600 })
      .chain((size) => fc.tuple(fc.integer({ min: 1, max: size - 1 }), fc.constant(size)));
    await fc.assert(
      fc.asyncProperty(states, async ([older, size]) => {
        const proof = await new TileTree(size, tilesOf(size)).consistencyProof(older);
        expect(proof).to.deep.equal(consistencyProofOf(leaves.slice(0, size), older));
      }),
      { numRuns: 150 },
    );
  }).timeout(120_000);

  it('proves consistency over three levels of tiles', async () => {
    for (const [older, size] of [
      [1, 70_000],
      [255, 65_536],
      [65_536, 65_537],
      [65_535, 69_999],
    ] as const) {
      const proof = await new TileTree(size, tilesOf(size)).consistencyProof(older);
      expect(() => {
        verifyConsistency(headOf(older), headOf(size), proof);
      }).to.not.throw();
    }
  }).timeout(120_000);

  it('gives the range of the first leaves', async () => {
    for (const [count, size] of [
      [0, 5],
      [5, 5],
      [255, 256],
      [257, 1000],
      [66_000, 70_000],
    ] as const) {
      const range = await new TileTree(size, tilesOf(size)).range(count);
      expect(range).to.deep.equal(extendRange(emptyRange, leaves.slice(0, count)));
    }
  }).timeout(120_000);
});

describe('tile format', () => {
  it('names tiles as C2SP tlog-tiles does', () => {
    expect(tilePath({ level: 0, index: 0, width: 256 })).to.equal('tile/0/000');
    expect(tilePath({ level: 3, index: 1_234_067, width: 256 })).to.equal('tile/3/x001/x234/067');
    expect(tilePath({ level: 'entries', index: 5, width: 8 })).to.equal('tile/entries/005.p/8');
  });

  it('takes more than it needs, and nothing that is short or malformed', () => {
    const hashes = Buffer.alloc(3 * 32);
    expect(parseTile(hashes, 2)).to.have.length(2);
    expect(parseTile(hashes, 4)).to.equal(undefined);
    expect(parseTile(hashes.subarray(1), 1)).to.equal(undefined);
    const bundle = Buffer.from('000161000000026263', 'hex');
    expect(parseBundle(bundle, 3)?.map(String)).to.deep.equal(['a', '', 'bc']);
    expect(parseBundle(bundle, 1)?.map(String)).to.deep.equal(['a']);
    expect(parseBundle(bundle, 4)).to.equal(undefined);
    expect(parseBundle(bundle.subarray(0, -1), 1)).to.equal(undefined);
    expect(parseBundle(Buffer.concat([bundle, Buffer.of(0)]), 1)).to.equal(undefined);
  });
});
