import { expect } from 'chai';
import fc from 'fast-check';
import { datagramsOf, maxDatagramPayload } from '../../../src/telemetry/gelf-chunks.ts';
import { ChunkAssembly } from './gelf-input.ts';

const id = Buffer.from('0123456789abcdef', 'hex');

describe('telemetry: GELF chunks', () => {
  it('sends a payload that fits into one datagram as it is', () => {
    const payload = Buffer.alloc(1420, 7);
    expect(datagramsOf(payload, id)).to.deep.equal([payload]);
  });

  it('begins each chunk with magic bytes, id, number and count', () => {
    const [first, second, ...others] = datagramsOf(Buffer.alloc(1421, 7), id);
    expect(first?.subarray(0, 12).toString('hex')).to.equal('1e0f0123456789abcdef0002');
    expect(second?.subarray(0, 12).toString('hex')).to.equal('1e0f0123456789abcdef0102');
    expect([first?.length, second?.length, others.length]).to.deep.equal([1420, 12 + 13, 0]);
  });

  it('makes chunks that come together again in any order, none empty, too long or too many', () => {
    const length = fc.integer({ min: 0, max: maxDatagramPayload });
    fc.assert(
      fc.property(length, fc.integer({ min: 0, max: 255 }), fc.boolean(), (size, byte, isReversed) => {
        const payload = Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 31 + byte) % 256));
        // Otherwise a payload that begins like a chunk would be taken for one.
        if (size > 0) payload[0] = 0x7b;
        const datagrams = datagramsOf(payload, id);
        expect(datagrams.length).to.be.within(1, 128);
        expect(datagrams.every((datagram) => datagram.length <= 1420)).to.equal(true);
        if (datagrams.length > 1) expect(datagrams.every((datagram) => datagram.length > 12)).to.equal(true);
        const assembly = new ChunkAssembly();
        const whole = (isReversed ? datagrams.toReversed() : datagrams)
          .map((datagram) => assembly.add(datagram))
          .find((result) => result !== undefined);
        expect(whole?.equals(payload)).to.equal(true);
      }),
      { numRuns: 50 },
    );
  });

  it('refuses what 128 chunks do not hold', () => {
    expect(datagramsOf(Buffer.alloc(maxDatagramPayload), id)).to.have.lengthOf(128);
    expect(() => datagramsOf(Buffer.alloc(maxDatagramPayload + 1), id)).to.throw(RangeError);
  });
});
