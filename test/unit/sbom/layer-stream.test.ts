import { randomBytes } from 'node:crypto';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { digestOf } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import type { SourceLayer } from '../../../src/sbom/layer-source.ts';
import { streamLayer } from '../../../src/sbom/layer-stream.ts';
import { layerOf, pieces } from './image-fixture.ts';

const limits = { ratio: 200, ratioFreeBytes: 1024 * 1024, uncompressedBytes: 64 * 1024 * 1024 };
const never = new AbortController().signal;
const read = async (layer: SourceLayer, change: Partial<typeof limits> = {}): Promise<Buffer> => {
  const parts: Buffer[] = [];
  const options = { signal: never, limits: { ...limits, ...change } };
  await streamLayer(layer, (chunk) => parts.push(Buffer.from(chunk)), options);
  return Buffer.concat(parts);
};
const faultOf = async (work: Promise<unknown>): Promise<{ code: string; kind: string }> => {
  try {
    await work;
  } catch (error) {
    if (isAppError(error)) return { code: error.code, kind: error.kind };
    throw error;
  }
  return { code: 'none', kind: 'none' };
};
const raw = (bytes: Buffer, archive: Buffer): SourceLayer => ({
  digest: digestOf(bytes),
  diffId: digestOf(archive),
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  size: bytes.length,
  open: () => Promise.resolve(pieces(bytes)),
});

describe('layer stream', () => {
  const archive = Buffer.concat([Buffer.alloc(100_000, 'layer '), randomBytes(50_000)]);

  for (const compression of ['gzip', 'zstd', 'none'] as const) {
    it(`gives the archive of a layer (${compression})`, async () => {
      expect((await read(layerOf(archive, compression))).equals(archive)).to.equal(true);
    });
  }

  it('tells the compression from the bytes, not from the media type', async () => {
    const layer = layerOf(archive, 'zstd', {
      mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    });
    expect((await read(layer)).equals(archive)).to.equal(true);
  });

  it('reads concatenated gzip members and zstd frames, as estargz and zstd:chunked write them', async () => {
    const [head, tail] = [archive.subarray(0, 70_000), archive.subarray(70_000)];
    const skippable = Buffer.from('502a4d180500000068656c6c6f', 'hex');
    const checksummed = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
    for (const bytes of [
      Buffer.concat([gzipSync(head), gzipSync(tail)]),
      Buffer.concat([zstdCompressSync(head), zstdCompressSync(tail, checksummed), skippable]),
      Buffer.concat([skippable, zstdCompressSync(head, checksummed), skippable, zstdCompressSync(tail)]),
    ]) {
      for (const pieceBytes of [701, 4096, 1_000_000]) {
        const layer = { ...raw(bytes, archive), open: () => Promise.resolve(pieces(bytes, pieceBytes)) };
        expect((await read(layer)).equals(archive)).to.equal(true);
      }
    }
  });

  it('refuses bytes with another digest with ERR_SBOM_LAYER_DIGEST, which another try may mend', async () => {
    for (const compression of ['gzip', 'zstd', 'none'] as const) {
      const layer = layerOf(archive, compression, { digest: digestOf('other') });
      expect(await faultOf(read(layer))).to.deep.equal({ code: 'ERR_SBOM_LAYER_DIGEST', kind: 'passing' });
    }
  });

  it('leaves the digest to a source that checks it, not the size and the diff_id', async () => {
    const vouched = { digest: digestOf('other'), isChecked: true };
    expect((await read(layerOf(archive, 'gzip', vouched))).equals(archive)).to.equal(true);
    for (const lie of [{ diffId: digestOf('another') }, { diffId: digestOf('other') }, { size: 10 }]) {
      const fault = await faultOf(read(layerOf(archive, 'gzip', { ...vouched, ...lie })));
      expect(fault.code).to.equal('ERR_SBOM_LAYER_DIGEST');
    }
  });

  it('frees pieces that fill their buffer, and no shared ones', async () => {
    const bytes = gzipSync(archive);
    const whole = Buffer.from(new Uint8Array(bytes.subarray(0, 1000)).buffer);
    const shared = bytes.subarray(1000);
    async function* parts(): AsyncGenerator<Uint8Array> {
      yield whole;
      await Promise.resolve();
      yield shared;
    }
    await read({ ...raw(bytes, archive), open: () => Promise.resolve(parts()) });
    expect([whole.length, shared.length]).to.deep.equal([0, bytes.length - 1000]);
  });

  it('refuses an archive with another diff_id with ERR_SBOM_LAYER_DIGEST', async () => {
    const fault = await faultOf(read(layerOf(archive, 'gzip', { diffId: digestOf('other') })));
    expect(fault.code).to.equal('ERR_SBOM_LAYER_DIGEST');
  });

  it('refuses streams that are shorter or longer than their descriptor with ERR_SBOM_LAYER_DIGEST', async () => {
    const bytes = gzipSync(archive);
    for (const size of [bytes.length - 1, bytes.length + 1]) {
      expect((await faultOf(read(layerOf(archive, 'gzip', { size })))).code).to.equal(
        'ERR_SBOM_LAYER_DIGEST',
      );
    }
  });

  it('blames the transport, not the image, when damaged bytes do not even decompress', async () => {
    const bytes = gzipSync(archive);
    const damaged = Buffer.from(bytes).fill(0xaa, 2000, 4000);
    const layer = layerOf(archive, 'gzip', { open: () => Promise.resolve(pieces(damaged)) });
    expect(await faultOf(read(layer))).to.deep.equal({ code: 'ERR_SBOM_LAYER_DIGEST', kind: 'passing' });
  });

  it('refuses a cut gzip layer with ERR_SBOM_LAYER_TRUNCATED for good', async () => {
    const cut = gzipSync(archive).subarray(0, 20_000);
    expect(await faultOf(read(raw(cut, archive)))).to.deep.equal({
      code: 'ERR_SBOM_LAYER_TRUNCATED',
      kind: 'permanent',
    });
  });

  it('refuses a cut zstd layer', async () => {
    const cut = zstdCompressSync(archive).subarray(0, 20_000);
    expect((await faultOf(read(raw(cut, archive)))).code).to.match(
      /^ERR_SBOM_LAYER_(?:TRUNCATED|FORMAT|DIGEST)$/,
    );
  });

  it('refuses a damaged gzip layer with ERR_SBOM_LAYER_FORMAT', async () => {
    const damaged = Buffer.from(gzipSync(archive)).fill(0xaa, 100, 400);
    expect((await faultOf(read(raw(damaged, archive)))).code).to.equal('ERR_SBOM_LAYER_FORMAT');
  });

  it('refuses a decompression bomb with ERR_SBOM_LIMIT before it has unpacked much', async () => {
    const bomb = layerOf(Buffer.alloc(32 * 1024 * 1024));
    let seen = 0;
    const work = streamLayer(bomb, (chunk) => (seen += chunk.length), { signal: never, limits });
    expect((await faultOf(work)).code).to.equal('ERR_SBOM_LIMIT');
    expect(seen).to.be.below(8 * 1024 * 1024);
  });

  it('refuses more uncompressed bytes than are left with ERR_SBOM_LIMIT', async () => {
    const fault = await faultOf(read(layerOf(archive, 'none'), { uncompressedBytes: 1000 }));
    expect(fault.code).to.equal('ERR_SBOM_LIMIT');
  });

  it('passes on what the source throws', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield gzipSync(archive).subarray(0, 5000);
      await Promise.resolve();
      throw new Error('connection reset');
    }
    const layer = layerOf(archive, 'gzip', { open: () => Promise.resolve(broken()) });
    let message = '';
    await read(layer).catch((error: unknown) => (message = String(error)));
    expect(message).to.equal('Error: connection reset');
  });

  it('stops when told to, and closes the source', async () => {
    const stop = new AbortController();
    let closed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          await new Promise((resolve) => setImmediate(resolve));
          yield Buffer.alloc(1024);
        }
      } finally {
        closed = true;
      }
    }
    const layer = layerOf(archive, 'none', { size: Infinity, open: () => Promise.resolve(endless()) });
    const sink = (): void => {
      stop.abort(new Error('shutdown'));
    };
    const work = streamLayer(layer, sink, { signal: stop.signal, limits });
    let message = '';
    await work.catch((error: unknown) => (message = String(error)));
    expect([message, closed]).to.deep.equal(['Error: shutdown', true]);
  });

  it('ends any damaged layer in an AppError', async () => {
    const bytes = gzipSync(archive.subarray(90_000, 110_000));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.uint8Array({ minLength: 1, maxLength: 20 }),
        async (at, damage) => {
          const damaged = Buffer.from(bytes);
          damaged.set(damage.slice(0, damaged.length - at), at);
          if (damaged.equals(bytes)) return;
          const fault = await faultOf(read(raw(damaged, archive.subarray(90_000, 110_000))));
          // Damage in the gzip header's time stamp changes nothing that is inside.
          expect(fault.code).to.match(/^(?:none|ERR_SBOM_\w+)$/);
        },
      ),
      { numRuns: 60 },
    );
  });
});
