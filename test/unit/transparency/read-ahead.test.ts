import { expect } from 'chai';
import { BodyTooLargeError } from '../../../src/model/bounded-body.ts';
import { readAhead, stretchBytes } from '../../../src/transparency/read-ahead.ts';
import type { ReadParts } from '../../../src/transparency/read-ahead.ts';

const mebibyte = 1024 * 1024;
const tooLarge = (): Error =>
  new BodyTooLargeError('ERR_LOG_ANSWER', 'it is too large', { kind: 'permanent' });

/** Reads a hundred parts of these sizes; tells besides how much was held and asked for at once at most. */
async function readParts(
  bytesOf: (part: number) => number,
): Promise<ReadParts<number> & { readonly peakBytes: number; readonly peakCalls: number }> {
  const { signal } = new AbortController();
  let [held, running, peakBytes, peakCalls] = [0, 0, 0, 0];
  const read = await readAhead(
    100,
    async (part, { maxBytes }) => {
      running += 1;
      peakCalls = Math.max(peakCalls, running);
      peakBytes = Math.max(peakBytes, held + running * maxBytes);
      await new Promise(setImmediate);
      running -= 1;
      if (bytesOf(part) > maxBytes) throw tooLarge();
      held += bytesOf(part);
      return { value: part, bytes: bytesOf(part) };
    },
    { atOnce: 8, maxBytes: 2 * mebibyte, signal },
  );
  return { ...read, peakBytes, peakCalls };
}

describe('readAhead', () => {
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

  it('reads all parts in their order, several at once, where they are small', async () => {
    const { values, isTooLarge, peakCalls } = await readParts(() => 1000);
    expect(values).to.deep.equal(upTo(100));
    expect(isTooLarge).to.equal(false);
    expect(peakCalls).to.equal(8);
  });

  it('ends early where they are large, and never holds more than a stretch may', async () => {
    const { values, isTooLarge, peakBytes } = await readParts(() => 1.5 * mebibyte);
    expect(values).to.deep.equal(upTo(values.length));
    expect(values.length).to.be.within(15, 21);
    expect(isTooLarge).to.equal(false);
    expect(peakBytes).to.be.at.most(stretchBytes);
  });

  it('ends before a part that is larger than one may be', async () => {
    for (const place of [0, 5, 40]) {
      const sizeOf = (part: number): number => (part === place ? 3 * mebibyte : 1000);
      const { values, isTooLarge } = await readParts(sizeOf);
      expect(values).to.deep.equal(upTo(place));
      expect(isTooLarge).to.equal(true);
    }
  });

  it('cancels its other calls when one fails', async () => {
    const { signal } = new AbortController();
    const cancelled: number[] = [];
    const reading = readAhead(
      4,
      async (part, bounds) => {
        if (part === 2) throw Object.assign(new Error('gone'), { code: 'ERR_GONE' });
        await new Promise<void>((resolve) => {
          bounds.signal.addEventListener('abort', () => {
            cancelled.push(part);
            resolve();
          });
        });
        return { value: part, bytes: 1 };
      },
      { atOnce: 4, maxBytes: 1, signal },
    );
    expect(await reading.catch(String)).to.include('gone');
    expect(cancelled).to.deep.equal([0, 1, 3]);
  });
});
