import { expect } from 'chai';
import fc from 'fast-check';
import { proofOf, rootOf } from '../../../src/commands/development-sigstore/merkle-tree.ts';
import { hashLeaf, rootFromProof } from '../../../src/transparency/merkle-proof.ts';
import { codeOf } from '../signing/codes.ts';

const leavesOf = (size: number): Buffer[] =>
  Array.from({ length: size }, (_, i) => hashLeaf(Buffer.from(String(i))));
const place = fc
  .integer({ min: 1, max: 130 })
  .chain((size) => fc.record({ size: fc.constant(size), index: fc.nat({ max: size - 1 }) }));

describe('rootFromProof', () => {
  it("hashes leaves and nodes as RFC 6962's test vectors", () => {
    expect(hashLeaf(Buffer.alloc(0)).toString('hex')).to.equal(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    );
    const vectors = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ];
    const leaves = vectors.map((text) => hashLeaf(Buffer.from(text, 'hex')));
    expect(rootOf(leaves).toString('hex')).to.equal(
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    );
  });

  it('leads every leaf of every tree to its root', () => {
    fc.assert(
      fc.property(place, ({ size, index }) => {
        const leaves = leavesOf(size);
        const proof = { logIndex: BigInt(index), treeSize: BigInt(size), hashes: proofOf(leaves, index) };
        return rootFromProof(leaves[index]!, proof).equals(rootOf(leaves));
      }),
    );
  });

  it('leads a leaf at another place, or other hashes, to no root of the tree', () => {
    fc.assert(
      fc.property(place, fc.nat(), ({ size, index }, other) => {
        fc.pre(size > 1 && other % size !== index);
        const leaves = leavesOf(size);
        const hashes = proofOf(leaves, index);
        const moved = { logIndex: BigInt(other % size), treeSize: BigInt(size), hashes };
        const code = codeOf(() => {
          if (rootFromProof(leaves[index]!, moved).equals(rootOf(leaves))) throw new Error('it was accepted');
        });
        return code === 'passed' || code === 'ERR_LOG_INCLUSION_PROOF';
      }),
    );
  });

  it('refuses too few and too many hashes, and an index outside of the tree, with ERR_LOG_INCLUSION_PROOF', () => {
    const leaves = leavesOf(7);
    const hashes = proofOf(leaves, 3);
    const proofs = [
      { logIndex: 3n, treeSize: 7n, hashes: hashes.slice(1) },
      { logIndex: 3n, treeSize: 7n, hashes: [...hashes, hashes[0]!] },
      { logIndex: 7n, treeSize: 7n, hashes },
      { logIndex: -1n, treeSize: 7n, hashes },
      { logIndex: 0n, treeSize: 0n, hashes: [] },
    ];
    for (const proof of proofs) {
      expect(codeOf(() => rootFromProof(leaves[3]!, proof))).to.equal('ERR_LOG_INCLUSION_PROOF');
    }
  });
});
