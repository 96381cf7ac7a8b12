import { expect } from 'chai';
import fc from 'fast-check';
import { identify } from '../../../../src/sbom/cataloguers/formats/component-identity.ts';
import { ElfFile } from '../../../../src/sbom/cataloguers/formats/elf-file.ts';
import { parseFieldLines } from '../../../../src/sbom/cataloguers/formats/field-lines.ts';
import { parseIntegrity } from '../../../../src/sbom/cataloguers/formats/integrity.ts';
import {
  parsePerson,
  repositoryAddress,
  repositoryOwner,
} from '../../../../src/sbom/cataloguers/formats/supplier.ts';
import { isZipArchive, ZipArchive } from '../../../../src/sbom/cataloguers/formats/zip-archive.ts';
import { elf } from './elf-fixture.ts';
import { zip } from './zip-fixture.ts';

describe('zip archive', () => {
  const limits = { entries: 10 };

  it('reads stored, deflated and streamed entries', () => {
    const bytes = zip({
      a: { content: 'one', as: 'stored' },
      b: { content: 'two', as: 'deflated' },
      c: { content: 'three', as: 'descriptor' },
    });
    const archive = ZipArchive.open(bytes, limits);
    expect(archive.entries.map((entry) => [entry.name, archive.read(entry, 100).toString()])).to.deep.equal([
      ['a', 'one'],
      ['b', 'two'],
      ['c', 'three'],
    ]);
  });

  it('reads an archive behind a program', () => {
    const archive = ZipArchive.open(
      Buffer.concat([Buffer.from('#!/bin/sh\nexec java -jar "$0"\n'), zip({ a: 'x' })]),
      limits,
    );
    const [entry] = archive.entries;
    expect(entry === undefined ? '' : archive.read(entry, 10).toString()).to.equal('x');
  });

  it('refuses too many entries, too large ones, and lies about their size', () => {
    expect(() => ZipArchive.open(zip({ a: '', b: '' }), { entries: 1 })).to.throw('more than 1 entries');
    const archive = ZipArchive.open(zip({ a: 'x'.repeat(1000) }), limits);
    const [entry] = archive.entries;
    if (entry === undefined) throw new Error('no entry');
    expect(() => archive.read(entry, 999)).to.throw('larger than 999');
    expect(() => archive.read({ ...entry, size: 1 }, 999)).to.throw(Error);
    expect(() => archive.read({ ...entry, method: 99 }, 1000)).to.throw('method 99');
  });

  it('tells an archive from other files', () => {
    expect(isZipArchive(zip({ a: 'x' }))).to.equal(true);
    expect(isZipArchive(Buffer.from('text'))).to.equal(false);
    expect(isZipArchive(Buffer.alloc(0))).to.equal(false);
  });

  it('ends on damaged archives, with an Error at worst', () => {
    const whole = zip({ a: 'content', b: { content: 'more', as: 'descriptor' } });
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, start) => {
        const bytes = Buffer.from(whole.subarray(start === 0 ? 0 : start % 5));
        if (at < bytes.length) bytes[at] = byte;
        try {
          const archive = ZipArchive.open(bytes, limits);
          for (const entry of archive.entries) archive.read(entry, 1000);
        } catch (error) {
          expect(error).to.be.instanceOf(Error);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('ELF file', () => {
  for (const is64 of [true, false]) {
    for (const isBigEndian of [true, false]) {
      it(`reads sections of ${is64 ? 64 : 32} bit, ${isBigEndian ? 'big' : 'little'} endian`, () => {
        const parts = [
          { name: '.a', content: Buffer.from('first') },
          { name: '.b', content: Buffer.from('second') },
        ];
        const file = ElfFile.open(elf(parts, { is64, isBigEndian }));
        expect(file?.section('.b')?.content.toString()).to.equal('second');
        expect(file?.section('.c')).to.equal(undefined);
        expect(file?.atAddress(file.section('.a')?.address ?? 0, 3).toString()).to.equal('fir');
      });
    }
  }

  it('opens nothing but ELF', () => {
    expect(ElfFile.open(Buffer.from('MZ'.repeat(100)))).to.equal(undefined);
    expect(ElfFile.open(Buffer.alloc(0))).to.equal(undefined);
  });

  it('ends on any header, with an Error at worst', () => {
    const whole = elf([{ name: '.a', content: Buffer.alloc(40) }]);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        fc.integer({ min: 4, max: whole.length - 60 }),
        (noise, at) => {
          const bytes = Buffer.from(whole);
          bytes.set(noise, at);
          try {
            const file = ElfFile.open(bytes);
            file?.section('.none');
            file?.notes();
          } catch (error) {
            expect(error).to.be.instanceOf(Error);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('small formats', () => {
  it('reads fields with continuation lines up to the first empty line', () => {
    const fields = parseFieldLines('Name: a\r\nText: one\r\n two\r\nName: b\r\nodd line\r\n\r\nLater: no');
    expect([...fields]).to.deep.equal([
      ['name', ['a', 'b']],
      ['text', ['one\ntwo']],
    ]);
  });

  it('reads integrity texts and drops malformed ones', () => {
    expect(parseIntegrity('sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= sha512-AAAA md5-xx junk')).to.deep.equal([
      { algorithm: 'SHA-1', hex: 'da39a3ee5e6b4b0d3255bfef95601890afd80709' },
    ]);
  });

  it('reads people and repositories', () => {
    expect(parsePerson('"Ann" <ann@example.com>')).to.deep.equal({ name: 'Ann', email: 'ann@example.com' });
    expect(parsePerson('<only@example.com>')?.name).to.equal('only@example.com');
    expect(parsePerson('')).to.equal(undefined);
    expect(parsePerson('"Lee, Ann" <a@b.c>, Bob <b@b.c>')).to.deep.equal({
      name: 'Lee, Ann',
      email: 'a@b.c',
    });
    expect(parsePerson('Acme, Inc. <a@b.c>')).to.deep.equal({ name: 'Acme, Inc.', email: 'a@b.c' });
    expect(parsePerson('a@b.c, d@e.f')).to.deep.equal({ name: 'a@b.c', email: 'a@b.c' });
    expect(parsePerson('Ann (https://ann.example/) <a@b.c>')).to.deep.equal({
      name: 'Ann',
      email: 'a@b.c',
      url: 'https://ann.example/',
    });
    expect(parsePerson({ name: 'B', url: 'javascript:x' })).to.deep.equal({ name: 'B' });
    expect(repositoryAddress('git@github.com:a/b.git')).to.equal('https://github.com/a/b');
    expect(repositoryOwner('https://github.com/a/b')).to.deep.equal({
      name: 'a',
      url: 'https://github.com/a',
    });
    expect(repositoryOwner('https://evil.example/a/b')).to.equal(undefined);
  });

  it('names what no purl can name', () => {
    expect(identify({ type: 'npm', namespace: '@s', name: '', version: '1' })).to.deep.equal({
      ref: 'npm:@s@1',
    });
  });
});
