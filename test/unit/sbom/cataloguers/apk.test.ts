import { expect } from 'chai';
import fc from 'fast-check';
import { apk } from '../../../../src/sbom/cataloguers/apk.ts';
import { parseApkDatabase } from '../../../../src/sbom/cataloguers/apk-database.ts';
import { osRelease } from '../../../../src/sbom/cataloguers/os-release.ts';
import { catalogue, layer } from '../image-fixture.ts';

const release = { 'etc/os-release': 'ID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n' };
/** In the form of apk-tools 2, shortened. */
const installed = `C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=
P:musl
V:1.2.5-r10
A:x86_64
S:409211
I:667648
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
m:Natanael Copa <ncopa@alpinelinux.org>
t:1736265984
c:abc
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1abc=

C:Q1NN3sp0yr99btRysqty3nQUrWHaY=
P:busybox-binsh
V:1.37.0-r19
A:x86_64
L:GPL-2.0-only
o:busybox
D:busybox=1.37.0-r19 so:libc.musl-x86_64.so.1 !other
p:/bin/sh cmd:sh=1.37.0-r19
F:bin
R:sh

P:app
V:1-r0
D:/bin/sh musl>=1.2 cmd:sh

P:nameless-version
`;

describe('apk', () => {
  it('has the hash of the control segment that apk names a package by, and lists licences apart', async () => {
    const text = [
      'C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=\nP:musl\nV:1\nL:MIT',
      `C:Q2${Buffer.alloc(32, 1).toString('base64')}\nP:icu\nV:1\nL:MIT ICU Unicode-TOU`,
      'C:Q1short\nP:odd\nV:1\nL:own words',
    ].join('\n\n');
    const { components } = await catalogue([layer({ ...release, 'lib/apk/db/installed': text })], [apk]);
    const told = components.map(({ name, manifestHash, licences }) => [name, manifestHash?.hex, licences]);
    expect(told).to.deep.equal([
      ['icu', '01'.repeat(32), ['MIT', 'ICU', 'Unicode-TOU']],
      ['musl', Buffer.from('qKcZ+j23xssAXmgQhkOO8dHnbWw=', 'base64').toString('hex'), ['MIT']],
      ['odd', undefined, ['own words']],
    ]);
  });

  it('lists installed packages with purls that scanners match', async () => {
    const { components } = await catalogue(
      [layer({ ...release, 'lib/apk/db/installed': installed })],
      [osRelease, apk],
    );
    expect(components.map(({ ref }) => ref)).to.deep.equal([
      'os:alpine-3.22.1',
      'pkg:apk/alpine/app@1-r0?distro=alpine-3.22.1',
      'pkg:apk/alpine/busybox-binsh@1.37.0-r19?arch=x86_64&distro=alpine-3.22.1&upstream=busybox',
      'pkg:apk/alpine/musl@1.2.5-r10?arch=x86_64&distro=alpine-3.22.1',
    ]);
  });

  it('resolves names, shared objects, commands and paths to the packages that provide them', async () => {
    const { components } = await catalogue([layer({ 'usr/lib/apk/db/installed': installed })], [apk]);
    const [app, shell, musl] = components;
    expect(shell?.dependsOn).to.deep.equal([musl?.ref]);
    expect(app?.dependsOn).to.deep.equal([shell?.ref, musl?.ref, shell?.ref]);
  });

  it('takes supplier, licence, checksum and owned programs', async () => {
    const { components } = await catalogue(
      [layer({ ...release, 'lib/apk/db/installed': installed })],
      [osRelease, apk],
    );
    const musl = components.find(({ name }) => name === 'musl');
    expect(musl).to.deep.include({
      supplier: { name: 'Natanael Copa', email: 'ncopa@alpinelinux.org' },
      licences: ['MIT'],
      ownedPaths: ['lib/ld-musl-x86_64.so.1'],
      properties: { 'source-package': 'musl', 'apk-checksum': 'Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=' },
    });
    expect(components.find(({ name }) => name === 'app')?.supplier).to.deep.equal({
      name: 'Alpine Linux v3.22',
    });
  });

  it('reads any text without fault', () => {
    const line = fc.oneof(fc.string(), fc.constantFrom('P:a', 'V:1', 'F:x', 'R:y', 'D:so:a>1 !b', ''));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        const packages = parseApkDatabase(lines.join('\n'), () => true);
        for (const { name, version } of packages) expect(name && version).to.be.a('string');
      }),
    );
  });
});
