import { expect } from 'chai';
import fc from 'fast-check';
import { proofOf, rootOf } from '../../../src/commands/development-sigstore/merkle-tree.ts';
import {
  emptyRange,
  extendRange,
  isWellFormed,
  rangeBefore,
  rootOfRange,
} from '../../../src/transparency/compact-range.ts';
import { verifyConsistency } from '../../../src/transparency/consistency-proof.ts';
import { hashLeaf } from '../../../src/transparency/merkle-proof.ts';
import { codeOf } from '../signing/codes.ts';
import { consistencyProofOf } from './consistency-tree.ts';

const leavesOf = (size: number): Buffer[] =>
  Array.from({ length: size }, (_, i) => hashLeaf(Buffer.from(String(i))));
const headOf = (leaves: readonly Buffer[], size: number) => ({
  treeSize: BigInt(size),
  rootHash: rootOf(leaves.slice(0, size)),
});
const sizes = fc
  .integer({ min: 1, max: 130 })
  .chain((newer) => fc.record({ newer: fc.constant(newer), older: fc.integer({ min: 0, max: newer }) }));

describe('verifyConsistency', () => {
  it('accepts the proof between any two sizes of any tree', () => {
    fc.assert(
      fc.property(sizes, ({ older, newer }) => {
        const leaves = leavesOf(newer);
        const proof = consistencyProofOf(leaves, older);
        verifyConsistency(headOf(leaves, older), headOf(leaves, newer), proof);
      }),
    );
  });

  it('refuses a tree of which one earlier leaf was changed with ERR_LOG_CONSISTENCY', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), ({ older, newer }, at) => {
        fc.pre(older > 0);
        const leaves = leavesOf(newer);
        const forged = leaves.with(at % older, hashLeaf(Buffer.from('forged')));
        const proof = consistencyProofOf(forged, older);
        const work = () => {
          verifyConsistency(headOf(leaves, older), headOf(forged, newer), proof);
        };
        return codeOf(work) === 'ERR_LOG_CONSISTENCY';
      }),
    );
  });

  it('refuses a proof with a hash changed, left out or added with ERR_LOG_CONSISTENCY', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.integer({ min: 0, max: 2 }), ({ older, newer }, at, how) => {
        fc.pre(older > 0 && older < newer);
        const leaves = leavesOf(newer);
        const proof = consistencyProofOf(leaves, older);
        const place = at % proof.length;
        const other = hashLeaf(Buffer.from('other'));
        const bad = [proof.with(place, other), proof.toSpliced(place, 1), proof.toSpliced(place, 0, other)][
          how
        ]!;
        const work = () => {
          verifyConsistency(headOf(leaves, older), headOf(leaves, newer), bad);
        };
        return codeOf(work) === 'ERR_LOG_CONSISTENCY';
      }),
    );
  });

  it('refuses a tree that shrank, and two roots of one size, with ERR_LOG_CONSISTENCY', () => {
    const leaves = leavesOf(7);
    const forged = leaves.with(3, hashLeaf(Buffer.from('forged')));
    for (const [older, newer] of [
      [headOf(leaves, 7), headOf(leaves, 6)],
      [headOf(leaves, 7), headOf(forged, 7)],
    ] as const) {
      const work = () => {
        verifyConsistency(older, newer, []);
      };
      expect(codeOf(work)).to.equal('ERR_LOG_CONSISTENCY');
    }
  });
});

describe('CompactRange', () => {
  it('has the root of the tree at every size, however it grew', () => {
    fc.assert(
      fc.property(sizes, ({ older, newer }) => {
        const leaves = leavesOf(newer);
        const half = extendRange(emptyRange, leaves.slice(0, older));
        const whole = extendRange(half, leaves.slice(older));
        return (
          rootOfRange(half).equals(rootOf(leaves.slice(0, older))) &&
          rootOfRange(whole).equals(rootOf(leaves)) &&
          isWellFormed(whole)
        );
      }),
    );
  });

  it('is in the inclusion proof of any later leaf', () => {
    fc.assert(
      fc.property(sizes, ({ older, newer }) => {
        fc.pre(older < newer);
        const leaves = leavesOf(newer);
        const range = rangeBefore({
          logIndex: BigInt(older),
          treeSize: BigInt(newer),
          hashes: proofOf(leaves, older),
        });
        expect(range).to.deep.equal(extendRange(emptyRange, leaves.slice(0, older)));
      }),
    );
  });

  it('is told from one whose hashes do not fit its size', () => {
    const range = extendRange(emptyRange, leavesOf(5));
    expect(isWellFormed({ ...range, size: 7n })).to.equal(false);
    expect(isWellFormed({ ...range, hashes: range.hashes.map((node) => node.subarray(1)) })).to.equal(false);
  });
});
