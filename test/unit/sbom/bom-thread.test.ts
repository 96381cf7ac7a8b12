import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { AppError, isAppError } from '../../../src/model/errors.ts';
import { BomGenerator } from '../../../src/sbom/bom-generator.ts';
import { cataloguers } from '../../../src/sbom/cataloguers/table.ts';
import type { LayerSource } from '../../../src/sbom/layer-source.ts';
import { defaultSbomLimits } from '../../../src/sbom/sbom-limits.ts';
import { BomThread } from '../../../src/sbom/thread/bom-thread.ts';
import type { BomThreadOptions } from '../../../src/sbom/thread/bom-thread.ts';
import { image, layer, layerOf } from './image-fixture.ts';
import { tar } from './tar-fixture.ts';

const settings = {
  settings: { generator: { name: 'chainwright', version: '0.1.0' } },
  limits: defaultSbomLimits,
  concurrency: 2,
  layerCacheBytes: 1024 * 1024,
  bomCacheBytes: 1024 * 1024,
};
const soon = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(60_000) });
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (isAppError(error) ? `${error.code} ${error.kind}` : String(error)),
  );
const package_ = (name: string): Record<string, string> => ({
  [`app/node_modules/${name}/package.json`]: JSON.stringify({ name, version: '1.2.3' }),
});

describe('SBOM thread', () => {
  let thread: BomThread;
  const start = (change: Partial<BomThreadOptions> = {}): BomThread =>
    new BomThread({ ...settings, ...change });

  beforeEach(() => {
    thread = start();
  });

  afterEach(async () => {
    await thread[Symbol.asyncDispose]();
  });

  it('makes the same bytes as the generator in this thread, over many pieces', async () => {
    const filler = Buffer.alloc(3_000_000, 'abc');
    const source = image([
      layerOf(tar({ ...package_('left'), 'app/filler': filler }), 'none'),
      layer(package_('right')),
    ]);
    await using generator = new BomGenerator({ ...settings, cataloguers });
    const here = await generator.generate(source, soon());
    const there = await thread.generate(source, soon());
    expect(Buffer.from(there.bytes).equals(Buffer.from(here.bytes))).to.equal(true);
    expect({ ...there, bytes: undefined }).to.deep.equal({ ...here, bytes: undefined });
  });

  it('reads layers once for callers that ask at the same time, even if the first one leaves', async () => {
    const one = layer(package_('left'));
    const source = image([one]);
    const leaving = new AbortController();
    const first = thread.generate(source, { signal: leaving.signal });
    const second = thread.generate(source, soon());
    leaving.abort(new Error('left'));
    expect(await codeOf(first)).to.equal('Error: left');
    expect((await second).bytes.length).to.be.above(0);
    expect(one.opened).to.equal(1);
  });

  it('passes on faults of the source and of the image with their codes', async () => {
    const away = new AppError('ERR_REGISTRY_UNREACHABLE', 'away', { kind: 'passing', retryAfterMs: 5 });
    const broken = layerOf(tar(package_('left')), 'gzip', { open: () => Promise.reject(away) });
    expect(await codeOf(thread.generate(image([broken]), soon()))).to.equal(
      'ERR_REGISTRY_UNREACHABLE passing',
    );
    const other = layerOf(gzipSync('no archive'), 'gzip');
    expect(await codeOf(thread.generate(image([other]), soon()))).to.match(/^ERR_SBOM_LAYER_/);
  });

  it('closes the source and goes on with other images when a caller leaves', async () => {
    const { promise: closed, resolve: close } = Promise.withResolvers<string>();
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          begin(undefined);
          await new Promise((resolve) => setImmediate(resolve));
          yield Buffer.alloc(64 * 1024);
        }
      } finally {
        close('closed');
      }
    }
    const leaving = new AbortController();
    const { promise: reading, resolve: begin } = Promise.withResolvers<undefined>();
    const stream = layerOf(tar({}), 'none', {
      size: 2 ** 40,
      open: () => Promise.resolve(endless()),
    });
    const first = thread.generate(image([stream]), { signal: leaving.signal });
    await reading;
    leaving.abort(new Error('left'));
    expect(await codeOf(first)).to.equal('Error: left');
    expect((await thread.generate(image([layer(package_('left'))]), soon())).bytes.length).to.be.above(0);
    expect(await closed).to.equal('closed');
  });

  it('fails with ERR_SBOM_THREAD, which may pass, when memory runs out, and starts anew', async () => {
    await using small = start({ heapMiB: 4 });
    const source: LayerSource = image([layer(package_('left'))]);
    expect(await codeOf(small.generate(source, soon()))).to.equal('ERR_SBOM_THREAD passing');
    expect(await codeOf(small.generate(source, soon()))).to.equal('ERR_SBOM_THREAD passing');
  });

  it('fails with ERR_SBOM_THREAD when the thread gives no sign of life', async () => {
    await using silent = start({ silenceMs: 1 });
    expect(await codeOf(silent.generate(image([layer(package_('left'))]), soon()))).to.equal(
      'ERR_SBOM_THREAD passing',
    );
  });

  it('stops all work when it is closed', async () => {
    const work = codeOf(thread.generate(image([layer(package_('left'))]), soon()));
    await thread[Symbol.asyncDispose]();
    expect(await work).to.include('AbortError');
    expect(await codeOf(thread.generate(image([layer({})]), soon()))).to.include('AbortError');
  });
});
