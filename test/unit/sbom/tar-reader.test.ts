import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../src/model/errors.ts';
import { TarReader } from '../../../src/sbom/tar-reader.ts';
import type { TarEntry } from '../../../src/sbom/tar-reader.ts';
import { header, padded, pax, seal, tar } from './tar-fixture.ts';

interface Read extends TarEntry {
  readonly content: string;
}

const read = (archive: Buffer, pieceBytes = archive.length || 1): Read[] => {
  const entries: Read[] = [];
  const reader = new TarReader(
    (entry) => {
      const parts: Buffer[] = [];
      return {
        write: (chunk) => parts.push(Buffer.from(chunk)),
        end: () => entries.push({ ...entry, content: Buffer.concat(parts).toString('latin1') }),
      };
    },
    { object: 'sha256:test', limits: { pathBytes: 8192 } },
  );
  for (let at = 0; at < archive.length; at += pieceBytes) reader.push(archive.subarray(at, at + pieceBytes));
  reader.end();
  return entries;
};
const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  return undefined;
};

describe('tar reader', () => {
  it('gives files, directories and links with their content', () => {
    const archive = tar({
      'a/': { directory: true },
      'a/one': 'first',
      'a/two': { symlink: 'one' },
      'a/three': { hardlink: 'a/one' },
      'a/four': { content: 'x'.repeat(1500), mode: 0o755 },
    });
    const entries = read(archive);
    expect(entries.map(({ type, name }) => `${type} ${name}`)).to.deep.equal([
      'directory a/',
      'file a/one',
      'symlink a/two',
      'hardlink a/three',
      'file a/four',
    ]);
    expect(entries[1]?.content).to.equal('first');
    expect(entries[2]?.linkName).to.equal('one');
    expect(entries[4]).to.include({ content: 'x'.repeat(1500), mode: 0o755, size: 1500 });
  });

  it('reads the same however the archive is cut into pieces', () => {
    const archive = tar({
      'a/one': 'first',
      ['deep/'.repeat(40) + 'file']: 'y'.repeat(513),
      'a/two': { symlink: 'one' },
    });
    const whole = read(archive);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), (pieceBytes) => {
        expect(read(archive, pieceBytes)).to.deep.equal(whole);
      }),
      { numRuns: 40 },
    );
  });

  it('hands over at least the first block of a body in one piece', () => {
    const archive = tar({ one: 'z'.repeat(700) });
    const sizes: number[] = [];
    const reader = new TarReader(
      () => ({ write: (chunk) => sizes.push(chunk.length), end: () => undefined }),
      {
        object: 'x',
        limits: { pathBytes: 100 },
      },
    );
    for (const byte of archive) reader.push(Buffer.from([byte]));
    expect(sizes[0]).to.equal(512);
  });

  it('takes names and sizes from pax headers, and long names from GNU ones', () => {
    const long = 'd/'.repeat(120) + 'name';
    const gnu = Buffer.concat([
      header('././@LongLink', { size: long.length + 1, flag: 'L' }),
      padded(Buffer.from(`${long}\0`)),
      header('short', { size: 2 }),
      padded(Buffer.from('ab')),
    ]);
    const paxed = Buffer.concat([
      pax({ path: `${long}2`, size: '3' }),
      header('short'),
      padded(Buffer.from('abc')),
    ]);
    const entries = read(Buffer.concat([gnu, paxed, Buffer.alloc(1024)]));
    expect(entries.map(({ name, content }) => [name, content])).to.deep.equal([
      [long, 'ab'],
      [`${long}2`, 'abc'],
    ]);
  });

  it('does not apply global pax records to members, as the container runtimes do not', () => {
    const archive = Buffer.concat([pax({ path: 'evil' }, 'g'), header('real'), Buffer.alloc(1024)]);
    expect(read(archive).map(({ name }) => name)).to.deep.equal(['real']);
  });

  it('reads base-256 sizes', () => {
    const sizeField = Buffer.alloc(12);
    sizeField[0] = 0x80;
    sizeField[11] = 5;
    const archive = Buffer.concat([
      header('big', { sizeField }),
      padded(Buffer.from('12345')),
      Buffer.alloc(1024),
    ]);
    expect(read(archive)[0]?.content).to.equal('12345');
  });

  it('gives hard links no body, whatever size they claim', () => {
    const archive = Buffer.concat([
      header('link', { flag: '1', link: 'x', size: 512 }),
      header('next', { size: 1 }),
      padded(Buffer.from('n')),
      Buffer.alloc(1024),
    ]);
    expect(read(archive).map(({ name }) => name)).to.deep.equal(['link', 'next']);
  });

  it('marks sparse files and skips the extended map of old GNU ones', () => {
    const first = header('old', { flag: 'S', size: 3 });
    first.write('ustar  \0', 257, 'latin1');
    first[482] = 1;
    const map = Buffer.alloc(512);
    const archive = Buffer.concat([
      seal(first),
      map,
      padded(Buffer.from('abc')),
      pax({
        'GNU.sparse.major': '1',
        'GNU.sparse.minor': '0',
        'GNU.sparse.name': 'new',
        'GNU.sparse.realsize': '9',
      }),
      header('GNUSparseFile.0/new', { size: 512 }),
      Buffer.alloc(512),
      Buffer.alloc(1024),
    ]);
    const entries = read(archive);
    expect(entries.map(({ name, sparse }) => [name, sparse])).to.deep.equal([
      ['old', true],
      ['new', true],
    ]);
  });

  it('keeps names apart that are not UTF-8', () => {
    const archive = Buffer.concat([
      header(Buffer.from([0x61, 0xff])),
      header(Buffer.from([0x61, 0xfe])),
      header('ü'),
      Buffer.alloc(1024),
    ]);
    expect(read(archive).map(({ name }) => name)).to.deep.equal(['a\\xff', 'a\\xfe', 'ü']);
  });

  it('stops at two blocks of zeros', () => {
    const archive = Buffer.concat([tar({ one: '1' }), header('after')]);
    expect(read(archive).map(({ name }) => name)).to.deep.equal(['one']);
  });

  it('accepts an archive that ends without blocks of zeros', () => {
    expect(read(header('only')).map(({ name }) => name)).to.deep.equal(['only']);
  });

  it('refuses an archive that is cut inside a member with ERR_SBOM_LAYER_TRUNCATED', () => {
    const archive = Buffer.concat([header('one', { size: 2000 }), Buffer.alloc(512)]);
    expect(codeOf(() => read(archive))).to.equal('ERR_SBOM_LAYER_TRUNCATED');
    expect(codeOf(() => read(header('one').subarray(0, 300)))).to.equal('ERR_SBOM_LAYER_TRUNCATED');
    expect(codeOf(() => read(pax({ path: 'x' })))).to.equal('ERR_SBOM_LAYER_TRUNCATED');
  });

  it('refuses what is no archive, damaged headers and malformed sizes with ERR_SBOM_LAYER_FORMAT', () => {
    const damaged = tar({ one: '1' });
    damaged[0] = 0x7a;
    const sizeField = Buffer.alloc(12, 0xff);
    for (const archive of [
      Buffer.alloc(1024, 'text'),
      damaged,
      header('big', { sizeField }),
      Buffer.concat([pax({ size: '-5' }), header('neg')]),
      Buffer.concat([Buffer.alloc(512), header('after one block of zeros')]),
    ]) {
      expect(codeOf(() => read(archive))).to.equal('ERR_SBOM_LAYER_FORMAT');
    }
  });

  it('refuses endless names and headers with ERR_SBOM_LIMIT', () => {
    const path = Buffer.concat([pax({ path: 'p'.repeat(9000) }), header('x')]);
    const meta = header('x', { flag: 'x', size: 2 * 1024 * 1024 });
    expect(codeOf(() => read(path))).to.equal('ERR_SBOM_LIMIT');
    expect(codeOf(() => read(meta))).to.equal('ERR_SBOM_LIMIT');
  });

  it('ends every input in entries or a clear error', () => {
    const damagedArchive = fc
      .tuple(
        fc.array(fc.tuple(fc.string({ maxLength: 120 }), fc.uint8Array({ maxLength: 700 })), {
          maxLength: 4,
        }),
        fc.array(fc.tuple(fc.nat(6000), fc.nat(255)), { maxLength: 6 }),
      )
      .map(([members, damage]) => {
        const archive = tar(members);
        for (const [at, byte] of damage) if (at < archive.length) archive[at] = byte;
        return archive;
      });
    fc.assert(
      fc.property(
        fc.oneof(
          damagedArchive,
          fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
        ),
        (archive) => {
          codeOf(() => read(Buffer.from(archive), 700));
        },
      ),
      { numRuns: 300 },
    );
  });
});
