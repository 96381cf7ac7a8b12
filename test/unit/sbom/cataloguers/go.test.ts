import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { readWhole } from '../../../../src/sbom/cataloguer.ts';
import type { FoundComponent } from '../../../../src/sbom/cataloguer.ts';
import { ElfFile } from '../../../../src/sbom/cataloguers/formats/elf-file.ts';
import { goInfoMagic, readGoBuildInfo } from '../../../../src/sbom/cataloguers/go-build-info.ts';
import { GoInfoSearch } from '../../../../src/sbom/cataloguers/go-info-search.ts';
import { go } from '../../../../src/sbom/cataloguers/go.ts';
import { catalogue, layer } from '../image-fixture.ts';
import { baseAddress, elf, offsetsOf } from './elf-fixture.ts';
import type { ElfLayout } from './elf-fixture.ts';

const fixtures = new URL('fixtures/', import.meta.url);
const real = readFileSync(new URL('go1.26-hello.buildinfo', fixtures));
/** Lines of `go version -m` for the same program. */
const told = readFileSync(new URL('go1.26-hello.txt', fixtures), 'utf8').split('\n');

function inline(version: string, modules: string): Buffer {
  const text = (value: Buffer): Buffer[] => {
    const length: number[] = [];
    let rest = value.length;
    for (; rest >= 0x80; rest >>= 7) length.push((rest & 0x7f) | 0x80);
    return [Buffer.from([...length, rest]), value];
  };
  const header = Buffer.concat([goInfoMagic, Buffer.from([8, 2]), Buffer.alloc(16)]);
  const marked =
    modules === '' ? Buffer.alloc(0) : Buffer.from(`${'m'.repeat(16)}${modules}${'m'.repeat(16)}`);
  return Buffer.concat([header, ...text(Buffer.from(version)), ...text(marked)]);
}

async function componentsOf(program: Buffer): Promise<Map<string, FoundComponent>> {
  const { components } = await catalogue([layer({ 'usr/bin/app': { mode: 0o755, content: program } })], [go]);
  return new Map(components.map((component) => [component.ref, component]));
}

describe('go cataloguer', () => {
  it('lists the same modules as go version -m, the replacement instead of the replaced', async () => {
    const found = await componentsOf(elf([{ name: '.go.buildinfo', content: real }]));
    const golden = told.flatMap((line, index) => {
      const [, kind, path, version, sum] = line.split('\t');
      if (kind !== '=>' && (kind !== 'dep' || told[index + 1]?.includes('=>') === true)) return [];
      return [`pkg:golang/${path ?? ''}@${version ?? ''} ${sum ?? ''}`];
    });
    const modules = [...found.values()].filter(({ properties }) => properties?.['go:sum'] !== undefined);
    expect(modules.map(({ ref, properties }) => `${ref} ${properties?.['go:sum'] ?? ''}`)).to.have.members(
      golden,
    );
    expect(golden).to.have.length(5);
    for (const { properties, manifestHash } of modules) {
      const base64 = Buffer.from(manifestHash?.hex ?? '', 'hex').toString('base64');
      expect(`h1:${base64}`).to.equal(properties?.['go:sum']);
    }
    expect(found.get('pkg:golang/golang.org/x/sys@v0.21.0')?.properties).to.include({
      'go:replaces': 'golang.org/x/sys@v0.20.0',
    });
  });

  it('names the main module with the version of -ldflags, the hash of the program and edges to everything in it', async () => {
    const program = elf([{ name: '.go.buildinfo', content: real }]);
    const found = await componentsOf(program);
    const main = found.get('pkg:golang/example.com/team/hello@v2.3.4');
    expect(main?.type).to.equal('application');
    expect(main?.hashes).to.deep.equal([
      { algorithm: 'SHA-256', hex: createHash('sha256').update(program).digest('hex') },
    ]);
    expect(main?.dependsOn).to.have.members([...found.keys()].filter((ref) => ref !== main?.ref));
  });

  it("takes the standard library's version from the compiler's", async () => {
    const found = await componentsOf(
      elf([{ name: '.go.buildinfo', content: inline('go1.25.1 X:boringcrypto', '') }]),
    );
    expect([...found.keys()]).to.deep.equal(['pkg:golang/stdlib@1.25.1']);
  });

  it('makes a pseudo-version of the commit where nothing else tells the version', async () => {
    const modules =
      'path\ta.b/c\nmod\ta.b/c\t(devel)\t\nbuild\tvcs.revision=0123456789abcdef\nbuild\tvcs.time=2026-02-03T04:05:06Z\n';
    const found = await componentsOf(elf([{ name: '.go.buildinfo', content: inline('go1.20', modules) }]));
    expect([...found.keys()]).to.include('pkg:golang/a.b/c@v0.0.0-20260203040506-0123456789ab');
  });

  it('lists a program and nothing for other ELF files', async () => {
    expect((await componentsOf(elf([{ name: '.text', content: Buffer.alloc(64) }]))).size).to.equal(0);
  });
});

describe('go build information', () => {
  const read = (file: Buffer) => {
    const opened = ElfFile.open(file);
    return opened === undefined ? undefined : readGoBuildInfo(opened);
  };

  it('is found without section headers', () => {
    const program = elf([{ name: '.go.buildinfo', content: real }], { hasSections: false });
    expect(read(program)?.goVersion).to.equal('go1.26.8');
  });

  for (const layout of [
    {},
    { isBigEndian: true },
    { is64: false },
    { is64: false, isBigEndian: true },
  ] satisfies ElfLayout[]) {
    it(`is read through the pointers of Go before 1.18: ${JSON.stringify(layout)}`, () => {
      const pointerBytes = layout.is64 === false ? 4 : 8;
      const pointer = (value: number): Buffer => {
        const bytes = Buffer.alloc(8);
        if (layout.isBigEndian === true) bytes.writeBigUInt64BE(BigInt(value));
        else bytes.writeBigUInt64LE(BigInt(value));
        if (pointerBytes === 8) return bytes;
        return layout.isBigEndian === true ? bytes.subarray(4) : bytes.subarray(0, 4);
      };
      const modules = Buffer.from(`${'m'.repeat(16)}path\tx/y\nmod\tx/y\tv1.0.0\th1:a\n${'m'.repeat(16)}`);
      const sizes = [
        { content: Buffer.alloc(32) },
        { content: Buffer.from('go1.16.5') },
        { content: modules },
        { content: Buffer.alloc(32) },
      ];
      const [, versionAt = 0, modulesAt = 0, headersAt = 0] = offsetsOf(
        sizes.map((part) => ({ name: '', ...part })),
      );
      const address = (offset: number): Buffer => pointer(baseAddress + offset);
      const flags = Buffer.from([pointerBytes, layout.isBigEndian === true ? 1 : 0]);
      const info = Buffer.concat([
        goInfoMagic,
        flags,
        address(headersAt),
        address(headersAt + 2 * pointerBytes),
      ]);
      const headers = Buffer.concat([
        address(versionAt),
        pointer(8),
        address(modulesAt),
        pointer(modules.length),
      ]);
      const program = elf(
        [
          { name: '.go.buildinfo', content: Buffer.concat([info], 32) },
          { name: '.rodata', content: Buffer.from('go1.16.5') },
          { name: '.modinfo', content: modules },
          { name: '.data', content: headers },
        ],
        layout,
      );
      expect(read(program)).to.deep.include({
        goVersion: 'go1.16.5',
        main: { path: 'x/y', version: 'v1.0.0', sum: 'h1:a' },
      });
    });
  }

  it('ends on a damaged program, with an Error at worst', () => {
    const program = elf([{ name: '.go.buildinfo', content: real }]);
    fc.assert(
      fc.property(fc.nat(program.length - 1), fc.nat(255), fc.nat(program.length), (at, byte, length) => {
        const damaged = Buffer.from(program.subarray(0, length));
        if (at < length) damaged[at] = byte;
        try {
          read(damaged);
        } catch (error) {
          expect(error).to.be.instanceOf(Error);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('search for go build information', () => {
  const search = (file: Buffer, pieceBytes: number, canReadWhole = false) => {
    const stream = new GoInfoSearch({ canReadWhole });
    for (let at = 0; at < file.length; at += pieceBytes) stream.write(file.subarray(at, at + pieceBytes));
    return stream.end({ sha256: 'ab' });
  };

  it('finds it however the program is cut into pieces, behind mere mentions of the magic', () => {
    const file = Buffer.concat([Buffer.alloc(1000), goInfoMagic, Buffer.alloc(50), real, Buffer.alloc(500)]);
    const expected = search(file, file.length);
    expect(expected === readWhole ? [] : expected?.info.modules).to.have.length(5);
    for (const pieceBytes of [1, 7, 13, 64, 1001]) expect(search(file, pieceBytes)).to.deep.equal(expected);
  });

  it('asks for all of a program of an old Go, or says that it is too large to be read', () => {
    const file = Buffer.concat([Buffer.alloc(64), goInfoMagic, Buffer.from([8, 0]), Buffer.alloc(100)]);
    expect(search(file, 50, true)).to.equal(readWhole);
    expect(() => search(file, 50)).to.throw('before 1.18');
  });

  it('gives up on a file full of false starts in linear time', () => {
    const start = Buffer.concat([
      goInfoMagic,
      Buffer.from([8, 2]),
      Buffer.alloc(16, 0),
      Buffer.from([0xff, 0xff, 0x7f, 0]),
    ]);
    const file = Buffer.concat(Array.from({ length: 50_000 }, () => start));
    expect(search(file, 4096)).to.equal(undefined);
  });

  it('ends on any bytes, with an Error at worst', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 64 }), (bytes, pieceBytes) => {
        try {
          search(Buffer.concat([goInfoMagic, bytes]), pieceBytes);
        } catch (error) {
          expect(error).to.be.instanceOf(Error);
        }
      }),
    );
  });
});
