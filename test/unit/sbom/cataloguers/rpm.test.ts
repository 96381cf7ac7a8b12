import { expect } from 'chai';
import fc from 'fast-check';
import { osRelease } from '../../../../src/sbom/cataloguers/os-release.ts';
import { rpm } from '../../../../src/sbom/cataloguers/rpm.ts';
import { readBerkeleyValues } from '../../../../src/sbom/cataloguers/rpm-berkeley.ts';
import { parseRpmHeader } from '../../../../src/sbom/cataloguers/rpm-header.ts';
import { readNdbBlobs } from '../../../../src/sbom/cataloguers/rpm-ndb.ts';
import { catalogue, layer } from '../image-fixture.ts';
import { berkeleyDatabase, headerBlob, ndbDatabase, rpmPackage, sqliteDatabase } from '../rpm-fixture.ts';

const release = {
  'etc/os-release': 'ID="rhel"\nVERSION_ID="9.4"\nPRETTY_NAME="Red Hat Enterprise Linux 9.4"\n',
};
const packages = [
  rpmPackage('bash', {
    1003: [1],
    1011: 'Red Hat, Inc.',
    1014: 'GPLv3+',
    1020: 'https://www.gnu.org/software/bash',
    1044: 'bash-1.0-2.el9.src.rpm',
    1049: ['libc.so.6()(64bit)', 'rpmlib(PayloadIsZstd)', '(glibc-langpack if glibc)'],
    1116: [0, 1],
    1117: ['bash', 'bash.1.gz'],
    1118: ['/usr/bin/', '/usr/share/man/man1/'],
  }),
  rpmPackage('glibc', { 1047: ['glibc', 'libc.so.6()(64bit)'], 1014: 'x'.repeat(9000) }),
  rpmPackage('scripts', { 1049: ['/usr/bin/bash', 'glibc'] }),
  rpmPackage('gpg-pubkey'),
];
const blobs = packages.map(headerBlob);
const refs = [
  'pkg:rpm/rhel/bash@1.0-2.el9?arch=x86_64&distro=rhel-9.4&epoch=1&upstream=bash-1.0-2.el9.src.rpm',
  'pkg:rpm/rhel/glibc@1.0-2.el9?arch=x86_64&distro=rhel-9.4',
  'pkg:rpm/rhel/scripts@1.0-2.el9?arch=x86_64&distro=rhel-9.4',
];

describe('rpm', () => {
  for (const [name, file, path] of [
    ['SQLite', sqliteDatabase(blobs), 'var/lib/rpm/rpmdb.sqlite'],
    ['ndb', ndbDatabase(blobs), 'usr/lib/sysimage/rpm/Packages.db'],
    ['Berkeley DB', berkeleyDatabase(blobs, { inline: 1 }), 'var/lib/rpm/Packages'],
    ['big-endian Berkeley DB', berkeleyDatabase(blobs, { bigEndian: true }), 'var/lib/rpm/Packages'],
  ] as const) {
    it(`lists the packages of a database in ${name}`, async () => {
      const { components, gaps } = await catalogue([layer({ ...release, [path]: file })], [osRelease, rpm]);
      expect(gaps).to.deep.equal([]);
      expect(components.slice(1).map(({ ref }) => ref)).to.deep.equal(refs);
    });
  }

  it('resolves requirements by what packages provide and by files, and tells where conditions were left out', async () => {
    const image = layer({ ...release, 'var/lib/rpm/rpmdb.sqlite': sqliteDatabase(blobs) });
    const { components } = await catalogue([image], [osRelease, rpm]);
    const [, bash, glibc, scripts] = components;
    expect(bash?.dependsOn).to.deep.equal([glibc?.ref]);
    expect(scripts?.dependsOn).to.deep.equal([bash?.ref, glibc?.ref]);
    expect([bash?.dependencies, scripts?.dependencies]).to.deep.equal(['incomplete', 'complete']);
  });

  it('takes vendor, licence, source and owned programs', async () => {
    const image = layer({ ...release, 'var/lib/rpm/rpmdb.sqlite': sqliteDatabase(blobs) });
    const bash = (await catalogue([image], [osRelease, rpm])).components[1];
    expect(bash).to.deep.include({
      version: '1:1.0-2.el9',
      supplier: { name: 'Red Hat, Inc.' },
      licences: ['GPLv3+'],
      ownedPaths: ['usr/bin/bash'],
      properties: { 'source-package': 'bash-1.0-2.el9.src.rpm' },
    });
  });

  it('has the hash of the header that rpm names a package by: SHA-256, else SHA-1, and no other text', async () => {
    const headers = [
      rpmPackage('a', { 269: 'b'.repeat(40), 273: 'a'.repeat(64) }),
      rpmPackage('b', { 269: 'b'.repeat(40) }),
      rpmPackage('c', { 273: 'not a hash' }),
    ];
    const database = sqliteDatabase(headers.map(headerBlob));
    const image = layer({ ...release, 'var/lib/rpm/rpmdb.sqlite': database });
    const { components } = await catalogue([image], [osRelease, rpm]);
    expect(components.slice(1).map(({ manifestHash }) => manifestHash)).to.deep.equal([
      { of: 'rpm header', algorithm: 'SHA-256', hex: 'a'.repeat(64) },
      { of: 'rpm header', algorithm: 'SHA-1', hex: 'b'.repeat(40) },
      undefined,
    ]);
  });

  it('reads the manifest of Azure Linux images without database', async () => {
    const line =
      'filesystem\t1.1-20.azl3\t1700000000\t1700000000\tMicrosoft\t(none)\t7596\tx86_64\t0\tfilesystem-1.1-20.azl3.src.rpm';
    const { components } = await catalogue(
      [layer({ 'var/lib/rpmmanifest/container-manifest-2': `${line}\n` })],
      [rpm],
    );
    expect(components[0]).to.deep.include({
      ref: 'pkg:rpm/redhat/filesystem@1.1-20.azl3?arch=x86_64&upstream=filesystem-1.1-20.azl3.src.rpm',
      supplier: { name: 'Microsoft' },
    });
  });

  it('notes a gap for a write-ahead log with changes, and for what is no database', async () => {
    const files = {
      'var/lib/rpm/rpmdb.sqlite-wal': 'changes',
      'var/lib/rpm/rpmdb.sqlite': 'garbage',
      'var/lib/rpm/Packages': 'garbage',
      'var/lib/rpm/Packages.db': 'garbage',
    };
    const { gaps, components } = await catalogue([layer(files)], [rpm]);
    expect(components).to.deep.equal([]);
    expect(gaps.map(({ path }) => path)).to.deep.equal([
      'var/lib/rpm/Packages',
      'var/lib/rpm/Packages.db',
      'var/lib/rpm/rpmdb.sqlite',
      'var/lib/rpm/rpmdb.sqlite-wal',
    ]);
  });

  it('does not run what a hostile schema puts in the place of the table', async () => {
    const endless = `CREATE VIEW Packages AS WITH RECURSIVE r(hnum) AS (SELECT 1 UNION ALL SELECT hnum+1 FROM r)
      SELECT hnum, x'00' AS blob FROM r`;
    const computed = 'CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB AS (zeroblob(1000000000)))';
    for (const schema of [endless, computed]) {
      const image = layer({ 'var/lib/rpm/rpmdb.sqlite': sqliteDatabase([], schema) });
      expect((await catalogue([image], [rpm])).gaps[0]?.reason).to.equal(
        'the SQLite database has no plain table Packages',
      );
    }
  });

  it('ends any damaged database in packages or a plain error', () => {
    const damage = fc.array(fc.tuple(fc.nat(13_000), fc.nat(255)), { minLength: 1, maxLength: 8 });
    const good = [ndbDatabase(blobs), berkeleyDatabase(blobs, { inline: 1 })];
    fc.assert(
      fc.property(damage, fc.boolean(), (changes, isNdb) => {
        const bytes = Buffer.from(good[isNdb ? 0 : 1] ?? []);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        try {
          for (const blob of isNdb ? readNdbBlobs(bytes) : readBerkeleyValues(bytes)) parseRpmHeader(blob);
        } catch (error) {
          expect(error).to.be.instanceOf(RangeError);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('refuses Berkeley DB chains that run in circles', () => {
    const bytes = berkeleyDatabase([Buffer.alloc(9000, 1)]);
    bytes.writeUInt32LE(2, 3 * 4096 + 16);
    expect(() => [...readBerkeleyValues(bytes)]).not.to.throw();
    const many = berkeleyDatabase(Array.from({ length: 40 }, () => Buffer.alloc(4000, 1)));
    for (let item = 3; item < 82; item += 2) {
      const at = 4096 + many.readUInt16LE(4096 + 26 + item * 2);
      many.writeUInt32LE(2, at + 4);
      many.writeUInt32LE(many.length - 1, at + 8);
    }
    many.writeUInt32LE(2, 2 * 4096 + 16);
    expect(() => [...readBerkeleyValues(many)]).to.throw(RangeError);
  });
});
