import { constants, zstdCompressSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { ZstdFrames } from '../../../src/sbom/zstd-frames.ts';

describe('zstd frames', () => {
  const frame = fc.oneof(
    fc
      .tuple(fc.uint8Array({ maxLength: 300 }), fc.boolean(), fc.nat(200_000))
      .map(([content, checksum, zeros]) =>
        zstdCompressSync(Buffer.concat([content, Buffer.alloc(zeros)]), {
          params: { [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0 },
        }),
      ),
    fc.uint8Array({ maxLength: 50 }).map((content) => {
      const skippable = Buffer.concat([Buffer.from('5a2a4d1800000000', 'hex'), content]);
      skippable.writeUInt32LE(content.length, 4);
      return skippable;
    }),
  );

  it('cuts a stream at the ends of its frames, whatever pieces it comes in', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 400 }),
        (frames, pieceBytes) => {
          const stream = Buffer.concat(frames);
          const cutter = new ZstdFrames();
          const ends = new Set<number>();
          let at = 0;
          for (let from = 0; from < stream.length; from += pieceBytes) {
            for (const piece of cutter.split(stream.subarray(from, from + pieceBytes))) {
              expect(piece.equals(stream.subarray(at, at + piece.length))).to.equal(true);
              at += piece.length;
              ends.add(at);
            }
          }
          expect(at).to.equal(stream.length);
          let end = 0;
          for (const { length } of frames) expect(ends.has((end += length))).to.equal(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('passes on what is no frame', () => {
    const garbage = Buffer.alloc(5000, 'garbage');
    expect(Buffer.concat([...new ZstdFrames().split(garbage)]).equals(garbage)).to.equal(true);
  });
});
