import { expect } from 'chai';
import { decodePurl, formatPurl } from '../../../src/sbom/purl.ts';

describe('purl', () => {
  it('encodes plus, at and slash so that every reader gets back the same parts', () => {
    const parts = {
      type: 'deb',
      namespace: 'debian',
      name: 'libstdc++6',
      version: '1:12.2.0-14+deb12u1',
      qualifiers: { upstream: 'gcc-12@12', arch: 'amd64', distro: undefined },
    };
    const purl = 'pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1?arch=amd64&upstream=gcc-12%4012';
    expect(formatPurl(parts)).to.equal(purl);
    expect(decodePurl(purl)).to.equal(
      'pkg:deb/debian/libstdc++6@1:12.2.0-14+deb12u1?arch=amd64&upstream=gcc-12@12',
    );
  });

  it('writes scopes of npm encoded', () => {
    expect(formatPurl({ type: 'npm', namespace: '@babel', name: 'core', version: '7.0.0' })).to.equal(
      'pkg:npm/%40babel/core@7.0.0',
    );
  });

  it('writes what is installed even where its type asks for more', () => {
    expect(formatPurl({ type: 'maven', name: 'lib', version: '1' })).to.equal('pkg:maven/lib@1');
    expect(formatPurl({ type: 'golang', name: 'x', version: 'v0' })).to.equal('pkg:golang/x@v0');
  });

  it('throws on an empty name', () => {
    expect(() => formatPurl({ type: 'npm', name: '' })).to.throw(/name/);
  });

  it('leaves text alone that cannot be decoded', () => {
    expect(decodePurl('pkg:x/%zz')).to.equal('pkg:x/%zz');
  });
});
