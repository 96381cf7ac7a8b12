import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { dpkg } from '../../../../src/sbom/cataloguers/dpkg.ts';
import { osRelease } from '../../../../src/sbom/cataloguers/os-release.ts';
import { parseDpkgStatus } from '../../../../src/sbom/cataloguers/dpkg-status.ts';
import { parseDependencyField } from '../../../../src/sbom/cataloguers/dpkg-dependencies.ts';
import type { Cataloguer } from '../../../../src/sbom/cataloguer.ts';
import { catalogue, layer } from '../image-fixture.ts';

const release = { 'etc/os-release': 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n' };
/** As dpkg writes it; shortened from a Debian 12. */
const status = `Package: libstdc++6
Status: install ok installed
Priority: important
Section: libs
Installed-Size: 2753
Maintainer: Debian GCC Maintainers <debian-gcc@lists.debian.org>
Architecture: amd64
Multi-Arch: same
Source: gcc-12
Version: 12.2.0-14+deb12u1
Depends: gcc-12-base (= 12.2.0-14+deb12u1), libc6 (>= 2.36), libgcc-s1 (>= 4.2)
Description: GNU Standard C++ Library v3
 This package contains an additional runtime library for C++ programs
 built with the GNU compiler.
Homepage: http://gcc.gnu.org/

Package: libc6
Status: install ok installed
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Source: glibc (2.36-8)
Version: 2.36-9+deb12u10
Provides: libc6-virtual (= 1)
Description: GNU C Library

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: tool
Status: install ok installed
Architecture: all
Version: 1:2.0-1
Pre-Depends: libc6-virtual
Depends: absent | awk:any | libc6, tool
`;
const deps = 'var/lib/dpkg/status';

describe('dpkg', () => {
  it('lists installed packages with purls that scanners match', async () => {
    const { components } = await catalogue([layer({ ...release, [deps]: status })], [osRelease, dpkg]);
    expect(components.map(({ ref }) => ref)).to.deep.equal([
      'os:debian-12',
      'pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12&upstream=glibc%402.36-8',
      'pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=gcc-12',
      'pkg:deb/debian/tool@1:2.0-1?arch=all&distro=debian-12',
    ]);
  });

  it('resolves dependencies, alternatives and virtual packages to what is installed', async () => {
    const { components } = await catalogue([layer({ ...release, [deps]: status })], [osRelease, dpkg]);
    const [, libc, cxx, tool] = components;
    expect(cxx?.dependsOn).to.deep.equal([libc?.ref]);
    expect(new Set(tool?.dependsOn)).to.deep.equal(new Set([libc?.ref]));
    expect(tool?.dependencies).to.equal('complete');
  });

  it('takes supplier, homepage, source and licences of the copyright file, also through a linked folder', async () => {
    const files = {
      ...release,
      [deps]: status,
      'usr/share/doc/gcc-12-base/copyright': 'on Debian systems see /usr/share/common-licenses/GPL-3.',
      'usr/share/doc/libstdc++6': { symlink: 'gcc-12-base' },
    };
    const { components } = await catalogue([layer(files)], [osRelease, dpkg]);
    const cxx = components.find(({ name }) => name === 'libstdc++6');
    expect(cxx?.supplier).to.deep.equal({
      name: 'Debian GCC Maintainers',
      email: 'debian-gcc@lists.debian.org',
    });
    expect(cxx?.licences).to.deep.equal(['GPL-3.0-only']);
    expect(cxx?.externalReferences).to.deep.equal([{ type: 'website', url: 'http://gcc.gnu.org/' }]);
    expect(cxx?.properties).to.deep.equal({ 'source-package': 'gcc-12' });
    expect(cxx?.locations.map(({ path }) => path)).to.deep.equal([
      deps,
      'usr/share/doc/gcc-12-base/copyright',
    ]);
  });

  it('reads the fragments of distroless images, which have no Status field', async () => {
    const fragment = 'Package: base-files\nVersion: 12.4\nArchitecture: amd64\nMaintainer: A <a@b.org>\n';
    const files = {
      ...release,
      'var/lib/dpkg/status.d/base': fragment,
      'var/lib/dpkg/status.d/base-files.md5sums': `${'0'.repeat(32)}  usr/bin/prog\n`,
    };
    const { components } = await catalogue([layer(files)], [osRelease, dpkg]);
    const base = components.find(({ name }) => name === 'base-files');
    expect(base?.ownedPaths).to.deep.equal(['usr/bin/prog']);
    expect(base?.manifestHash?.of).to.equal('md5sums');
  });

  it("has the hash of the package's own list of checksums, by its name with or without architecture", async () => {
    const sums = `${'0'.repeat(32)}  usr/share/doc/libc6/copyright\n`;
    const files = { ...release, [deps]: status, 'var/lib/dpkg/info/libc6:amd64.md5sums': sums };
    const { components } = await catalogue([layer(files)], [osRelease, dpkg]);
    const hex = createHash('sha256').update(sums).digest('hex');
    expect(components.find(({ name }) => name === 'libc6')?.manifestHash).to.deep.equal({
      of: 'md5sums',
      algorithm: 'SHA-256',
      hex,
    });
    expect(components.find(({ name }) => name === 'libstdc++6')?.manifestHash).to.equal(undefined);
  });

  it('says which package owns a program, whatever name its folder has in the image', async () => {
    let owner: string | undefined;
    const asker: Cataloguer<string> = {
      name: 'asker',
      version: 1,
      rules: [],
      assemble: (view) => {
        owner = view.ownerOf('usr/bin/tool');
        return { components: [] };
      },
    };
    const files = {
      bin: { symlink: 'usr/bin' },
      [deps]: status,
      'var/lib/dpkg/info/tool.list': '/.\n/bin\n/bin/tool\n/usr/share/man/man1/tool.1.gz\n',
    };
    const { components } = await catalogue([layer(files)], [dpkg, asker]);
    expect(owner).to.equal(components.find(({ name }) => name === 'tool')?.ref);
  });

  it('takes the database of the topmost layer that has one', async () => {
    const upper = status.replace('2.36-9+deb12u10', '9.9');
    const { components } = await catalogue([layer({ [deps]: status }), layer({ [deps]: upper })], [dpkg]);
    expect(components.find(({ name }) => name === 'libc6')?.version).to.equal('9.9');
    expect(components).to.have.length(3);
  });

  it('parses relation fields with versions, architectures and profiles', () => {
    const field = 'a (>= 1.2~rc1), b:any | c [amd64] <!nocheck>, , d';
    expect(parseDependencyField(field)).to.deep.equal([['a'], ['b', 'c'], ['d']]);
  });

  it('reads any text without fault', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom('Package: a', 'Version: 1', ' continued', '', 'Source: x (y)', ':'),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        for (const { name, version } of parseDpkgStatus(lines.join('\n')))
          expect(name && version).to.be.a('string');
      }),
    );
  });
});
