import { expect } from 'chai';
import fc from 'fast-check';
import { readWhole } from '../../../src/sbom/cataloguer.ts';
import type { AnyCataloguer, Cataloguer } from '../../../src/sbom/cataloguer.ts';
import { LayerCache } from '../../../src/sbom/layer-cache.ts';
import { isAppError } from '../../../src/model/errors.ts';
import { catalogue, layer, layerOf } from './image-fixture.ts';
import { header, tar } from './tar-fixture.ts';
import type { Member } from './tar-fixture.ts';

/** Takes files named `x` or `y` and notes their text. */
const textCataloguer: Cataloguer<string> = {
  name: 'text',
  version: 1,
  rules: [
    {
      select: { names: ['x', 'y'] },
      maxBytes: 1000,
      parse: (content) => {
        if (content[0] === 0x21) throw new Error('starts with an exclamation mark');
        return Buffer.from(content).toString();
      },
    },
  ],
  assemble: (view) => ({
    components: view.files.map(({ path, layer: from, fact }) => ({
      ref: `text:${path}`,
      name: fact || 'empty',
      locations: [{ path, layer: from }],
      technique: 'filename',
      confidence: 1,
    })),
  }),
};
const both: readonly AnyCataloguer[] = [textCataloguer];
type Members = Readonly<Record<string, Member>> | readonly (readonly [string, Member])[];
const texts = async (...layers: readonly Members[]): Promise<Record<string, string>> => {
  const { components } = await catalogue(layers.map(layer), both);
  return Object.fromEntries(components.map(({ name, locations }) => [locations[0].path, name]));
};
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  return 'none';
};

describe('overlay', () => {
  it('keeps what lower layers brought and upper ones did not touch', async () => {
    const found = await catalogue([layer({ 'a/x': '1' }), layer({ 'b/y': '2', 'c/z': 'unwanted' })], both);
    expect(found.components.map(({ name, locations }) => [name, locations[0]])).to.deep.equal([
      ['1', { path: 'a/x', layer: 0 }],
      ['2', { path: 'b/y', layer: 1 }],
    ]);
  });

  it('lets upper layers replace files', async () => {
    expect(await texts({ 'a/x': '1' }, { 'a/x': '2' })).to.deep.equal({ 'a/x': '2' });
  });

  it('hides what a whiteout names, file or directory, but not its neighbours', async () => {
    const base = { 'a/x': '1', 'a/sub/x': '2', 'a/subx/x': '3', 'a/y': '4' };
    expect(await texts(base, { 'a/.wh.sub': '', 'a/.wh.x': '' })).to.deep.equal({
      'a/subx/x': '3',
      'a/y': '4',
    });
  });

  it('lets a whiteout and an opaque marker hide lower layers only, wherever they stand in the archive', async () => {
    const base = { 'a/x': '1', 'a/y': '2', 'b/x': '3' };
    const top: [string, Member][] = [
      ['a/new/x', '4'],
      ['a/.wh..wh..opq', ''],
      ['a/y', '5'],
      ['b/x', '6'],
      ['b/.wh.x', ''],
    ];
    expect(await texts(base, top)).to.deep.equal({ 'a/new/x': '4', 'a/y': '5', 'b/x': '6' });
  });

  it('ignores a bare .wh. entry and AUFS bookkeeping instead of erasing the directory', async () => {
    const top = { 'a/.wh.': '', 'a/.wh..': '', 'a/.wh...': '', 'a/.wh..wh.aufs': '' };
    expect(await texts({ 'a/x': '1' }, top)).to.deep.equal({ 'a/x': '1' });
  });

  it('lets a file replace a directory and a directory replace a file', async () => {
    expect(await texts({ 'a/b/x': '1', c: 'x' }, { 'a/b': 'now a file' })).to.deep.equal({});
    expect(await texts({ 'a/x': '1' }, { 'a/x/y': '2', 'a/x': { directory: true } })).to.deep.equal({
      'a/x/y': '2',
    });
  });

  it('follows symlinked directories, also those of lower layers', async () => {
    const usrMerge = { lib: { symlink: 'usr/lib' }, 'usr/lib/a/x': '1' };
    expect(await texts(usrMerge, { 'lib/a/x': '2', 'lib/b/y': '3' })).to.deep.equal({
      'usr/lib/a/x': '2',
      'usr/lib/b/y': '3',
    });
    expect(await texts(usrMerge, { 'lib/a/.wh.x': '' })).to.deep.equal({});
  });

  it('replaces a symlink by a directory of the same name, as runtimes do', async () => {
    const base = { lib: { symlink: 'usr/lib' }, 'usr/lib/x': '1' };
    const top: [string, Member][] = [
      ['lib', { directory: true }],
      ['lib/y', '2'],
    ];
    expect(await texts(base, top)).to.deep.equal({ 'usr/lib/x': '1', 'lib/y': '2' });
  });

  it('clamps paths and links at the root', async () => {
    const escape = { '../../a/../b/./x': '1', up: { symlink: '../../../b' }, 'up/y': '2', '/abs/x': '3' };
    expect(await texts(escape)).to.deep.equal({ 'b/x': '1', 'b/y': '2', 'abs/x': '3' });
  });

  it('refuses a member behind a loop of symlinks with ERR_SBOM_SYMLINK_LOOP', async () => {
    const loop = { a: { symlink: 'b' }, b: { symlink: 'a' }, 'a/x': '1' };
    expect(await codeOf(texts(loop))).to.equal('ERR_SBOM_SYMLINK_LOOP');
    const growing = { a: { symlink: 'a/a' }, 'a/x': '1' };
    expect(await codeOf(texts(growing))).to.equal('ERR_SBOM_SYMLINK_LOOP');
  });

  it('finds a wanted file that is a hard link to content under an unwanted name', async () => {
    const base = layer({
      'store/0001': 'linked',
      'app/x': { hardlink: 'store/0001' },
      'b/y': { hardlink: './store/0001' },
    });
    const { components } = await catalogue([base], both);
    expect(components.map(({ name }) => name)).to.deep.equal(['linked', 'linked']);
    expect(base.opened).to.equal(2);
  });

  it('shares facts with hard links to a wanted file without reading again', async () => {
    const base = layer({ 'a/x': 'shared', 'b/x': { hardlink: 'a/x' } });
    const { components } = await catalogue([base], both);
    expect(components).to.have.length(2);
    expect(base.opened).to.equal(1);
  });

  describe('with a rule that turns out to need the whole file', () => {
    let wholes: string[];
    const picky: Cataloguer<string> = {
      ...textCataloguer,
      rules: [
        {
          select: { names: ['x'] },
          open: () => ({ write: () => undefined, end: () => readWhole }),
          whole: {
            select: {},
            maxBytes: 1000,
            parse: (content) => {
              wholes.push(Buffer.from(content).toString());
              return wholes.at(-1);
            },
          },
        },
      ],
    };
    const read = async (...layers: readonly Members[]): Promise<readonly string[]> =>
      (await catalogue(layers.map(layer), [picky])).components.map(({ name }) => name);

    beforeEach(() => {
      wholes = [];
    });

    it('reads the layer once more, and only that file', async () => {
      expect(await read({ 'a/x': 'lower', 'b/x': 'other' }, { 'a/x': 'upper' })).to.deep.equal([
        'upper',
        'other',
      ]);
      expect(wholes).to.deep.equal(['lower', 'other', 'upper']);
    });

    it('reads the last of two members of one name', async () => {
      expect(
        await read([
          ['a/x', 'first'],
          ['a/x', 'last'],
        ]),
      ).to.deep.equal(['last']);
      expect(wholes).to.deep.equal(['last']);
    });
  });

  it('notes a gap for a hard link to nothing', async () => {
    const { gaps } = await catalogue([layer({ 'a/x': { hardlink: 'nowhere' } })], both);
    expect(gaps.map(({ path, reason }) => [path, reason])).to.deep.equal([
      ['a/x', 'a hard link whose target is not in its layer'],
    ]);
  });

  it('notes a gap for files that are too large or malformed, until an upper layer replaces them', async () => {
    const base = layer({ 'a/x': 'z'.repeat(1001), 'b/x': '!bad' });
    expect((await catalogue([base], both)).gaps).to.deep.equal([
      { cataloguer: 'text', path: 'a/x', layer: 0, reason: 'larger than 1000 bytes' },
      { cataloguer: 'text', path: 'b/x', layer: 0, reason: 'starts with an exclamation mark' },
    ]);
    expect((await catalogue([base, layer({ 'a/x': 'ok', '.wh.b': '' })], both)).gaps).to.deep.equal([]);
  });

  it('does not open layers that the cache knows on the same base', async () => {
    const cache = new LayerCache(1024 * 1024);
    const base = layer({ 'a/x': '1', lib: { symlink: 'a' } });
    const middle = layer({ 'a/.wh.x': '', 'lib/y': '2' });
    const first = await catalogue([base, middle], both, { cache });
    const top = layer({ 'b/x': '3' });
    const second = await catalogue([base, middle, top], both, { cache });
    expect([base.opened, middle.opened, top.opened]).to.deep.equal([1, 1, 1]);
    expect(first.components.map(({ ref }) => ref)).to.deep.equal(['text:a/y']);
    expect(second.components.map(({ ref }) => ref)).to.deep.equal(['text:a/y', 'text:b/x']);
  });

  it('reads a layer again on another base, since what it hides differs', async () => {
    const cache = new LayerCache(1024 * 1024);
    const top = layer({ '.wh.a': '' });
    const bases = [layer({ 'b/x': '1' }), layer({ 'a/x': '2' })];
    const found = await Promise.all(bases.map((base) => catalogue([base, top], both, { cache })));
    expect(found.map(({ components }) => components.length)).to.deep.equal([1, 0]);
  });

  it('shares the reading of a base between images that start together', async () => {
    const cache = new LayerCache(1024 * 1024);
    const base = layer({ 'a/x': '1' });
    await Promise.all([1, 2, 3].map(() => catalogue([base], both, { cache })));
    expect(base.opened).to.equal(1);
  });

  it('forgets a layer that failed, so that the next try reads it', async () => {
    const cache = new LayerCache(1024 * 1024);
    const good = layer({ 'a/x': '1' });
    let fail = true;
    const flaky = {
      ...good,
      open: (options: { signal: AbortSignal }) =>
        fail ? Promise.reject(new Error('reset')) : good.open(options),
    };
    await catalogue([flaky], both, { cache }).catch(() => undefined);
    fail = false;
    expect((await catalogue([flaky], both, { cache })).components).to.have.length(1);
  });

  it('refuses too many files, facts or layers with ERR_SBOM_LIMIT, also when the cache knows the layers', async () => {
    const cache = new LayerCache(1024 * 1024);
    const layers = [layer({ 'a/x': '1', 'b/x': '2' }), layer({ 'c/x': '3' })];
    await catalogue(layers, both, { cache });
    for (const limits of [{ entries: 2 }, { factBytes: 400 }, { layers: 1 }, { uncompressedBytes: 3000 }]) {
      expect(await codeOf(catalogue(layers, both, { limits }))).to.equal('ERR_SBOM_LIMIT');
      expect(await codeOf(catalogue(layers, both, { limits, cache }))).to.equal('ERR_SBOM_LIMIT');
    }
  });

  it('skips devices and unknown members', async () => {
    const archive = Buffer.concat([
      header('dev/x', { flag: '3' }),
      header('odd/x', { flag: 'V' }),
      tar({ 'a/x': '1' }),
    ]);
    const { components } = await catalogue([layerOf(archive)], both);
    expect(components.map(({ ref }) => ref)).to.deep.equal(['text:a/x']);
  });

  it('agrees with a plain model of a file system', async () => {
    const name = fc.constantFrom('x', 'y', 'd', 'e');
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const operation = fc.oneof(
      { weight: 4, arbitrary: fc.tuple(fc.constant('file' as const), path) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('directory' as const), path) },
      { weight: 2, arbitrary: fc.tuple(fc.constant('whiteout' as const), path) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('opaque' as const), path) },
    );
    const image = fc.array(fc.array(operation, { maxLength: 6 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(image, async (layers) => {
        const cache = new LayerCache(1024 * 1024);
        const sources = layers.map((operations, index) =>
          layer(operations.map((one) => toMember(one, index))),
        );
        const expected = model(layers);
        for (const round of ['read', 'cached']) {
          const { components } = await catalogue(sources, both, { cache });
          const found = Object.fromEntries(
            components.map(({ name: text, locations }) => [locations[0].path, text]),
          );
          expect(found, round).to.deep.equal(expected);
        }
      }),
      { numRuns: 150 },
    );
  });
});

type Operation = readonly ['file' | 'directory' | 'whiteout' | 'opaque', string];

function toMember([kind, path]: Operation, index: number): [string, Member] {
  const at = path.lastIndexOf('/');
  switch (kind) {
    case 'file':
      return [path, `L${index}`];
    case 'directory':
      return [path, { directory: true }];
    case 'whiteout':
      return [`${path.slice(0, at + 1)}.wh.${path.slice(at + 1)}`, ''];
    case 'opaque':
      return [`${path}/.wh..wh..opq`, ''];
  }
}

/** A file system as a map of paths, slow and obvious: directories have no text. */
class PlainModel {
  readonly #nodes = new Map<string, { layer: number; text?: string }>();

  apply([kind, path]: Operation, layer: number): void {
    if (kind === 'whiteout') this.#hide([path, ...this.#below(path)], layer);
    else if (kind === 'opaque') this.#hide(this.#below(path), layer);
    else if (kind === 'file') this.#file(path, layer);
    else this.#directory(path, layer);
  }

  wanted(): Record<string, string> {
    const files = [...this.#nodes].filter(
      ([path, { text }]) => text !== undefined && /(?:^|\/)[xy]$/.test(path),
    );
    return Object.fromEntries(files.map(([path, { text }]) => [path, text ?? '']));
  }

  #below(path: string): string[] {
    return [...this.#nodes.keys()].filter((other) => other.startsWith(`${path}/`));
  }

  #hide(paths: readonly string[], layer: number): void {
    for (const path of paths) {
      const node = this.#nodes.get(path);
      if (node?.text !== undefined && node.layer < layer) this.#nodes.delete(path);
    }
  }

  #file(path: string, layer: number): void {
    for (const other of this.#below(path)) this.#nodes.delete(other);
    const isWanted = /(?:^|\/)[xy]$/.test(path);
    for (let at = path.indexOf('/'); isWanted && at > 0; at = path.indexOf('/', at + 1)) {
      const parent = path.slice(0, at);
      if (this.#nodes.get(parent)?.text !== undefined) this.#nodes.delete(parent);
    }
    this.#nodes.set(path, { layer, text: `L${layer}` });
  }

  #directory(path: string, layer: number): void {
    if (this.#nodes.get(path)?.text !== undefined) this.#nodes.delete(path);
    if (!this.#nodes.has(path)) this.#nodes.set(path, { layer });
  }
}

function model(layers: readonly (readonly Operation[])[]): Record<string, string> {
  const plain = new PlainModel();
  for (const [layer, operations] of layers.entries()) {
    for (const operation of operations) plain.apply(operation, layer);
  }
  return plain.wanted();
}
