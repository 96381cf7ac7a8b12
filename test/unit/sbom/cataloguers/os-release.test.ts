import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { osRelease, parseOsRelease } from '../../../../src/sbom/cataloguers/os-release.ts';
import { catalogue, layer } from '../image-fixture.ts';

const debian = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
ID=debian
HOME_URL="https://www.debian.org/"
`;

describe('os-release', () => {
  it('names the distribution through the usual symlink, as a component with a purl that no scanner takes for a package', async () => {
    const base = layer({
      'usr/lib/os-release': debian,
      'etc/os-release': { symlink: '../usr/lib/os-release' },
    });
    const { components, distro } = await catalogue([base], [osRelease]);
    expect(distro?.qualifier).to.equal('debian-12');
    expect(components).to.have.length(1);
    expect(components[0]).to.include({
      type: 'operating-system',
      name: 'debian',
      version: '12',
      ref: 'os:debian-12',
    });
    expect(components[0]?.purl).to.equal('pkg:generic/debian@12');
    expect(components[0]?.manifestHash).to.deep.equal({
      of: 'os-release',
      algorithm: 'SHA-256',
      hex: createHash('sha256').update(debian).digest('hex'),
    });
  });

  it('prefers etc/ to usr/lib/', async () => {
    const base = layer({ 'usr/lib/os-release': debian, 'etc/os-release': 'ID=wolfi\n' });
    expect((await catalogue([base], [osRelease])).distro).to.deep.include({
      id: 'wolfi',
      qualifier: 'wolfi',
    });
  });

  it('reads single quotes, bare values and comments', () => {
    const text = `# comment\nID='Alpine'\nVERSION_ID=3.22.1\nbroken line\n`;
    expect(parseOsRelease(text)).to.deep.equal({ id: 'alpine', versionId: '3.22.1' });
  });

  it('gives nothing for files without a usable id', () => {
    expect(parseOsRelease('NAME=x')).to.equal(undefined);
    expect(parseOsRelease('ID="../../etc"')).to.equal(undefined);
  });

  it('ignores files of that name elsewhere', async () => {
    expect((await catalogue([layer({ 'opt/os-release': debian })], [osRelease])).distro).to.equal(undefined);
  });
});
