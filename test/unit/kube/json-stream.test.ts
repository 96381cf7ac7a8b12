import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../src/model/errors.ts';
import { splitLines } from '../../../src/kube/json-stream.ts';

async function* chunksOf(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const size of sizes) {
    yield bytes.subarray(start, start + size);
    start += size;
    await Promise.resolve();
  }
  yield bytes.subarray(start);
}

async function linesOf(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of splitLines(chunks, maxBytes)) lines.push(line.toString('utf8'));
  return lines;
}

describe('splitLines', () => {
  it('gives the lines wherever the stream is cut, and not a last one that was broken off', async () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'ü', '{', '"', ' ') });
    const sizes = fc.array(fc.nat(7), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.array(line), line, sizes, async (lines, rest, cuts) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join('') + rest);
        expect(await linesOf(chunksOf(bytes, cuts), 1000)).to.deep.equal(lines);
      }),
    );
  });

  for (const [what, text] of [
    ['whole', `${'x'.repeat(11)}\n`],
    ['endless', 'x'.repeat(11)],
  ] as const) {
    it(`refuses a ${what} line above the bound with ERR_KUBE_ANSWER_SIZE`, async () => {
      const fault: unknown = await linesOf(chunksOf(Buffer.from(text), [3, 4]), 10).catch(
        (error: unknown) => error,
      );
      expect(isAppError(fault) && fault.code).to.equal('ERR_KUBE_ANSWER_SIZE');
    });
  }
});
