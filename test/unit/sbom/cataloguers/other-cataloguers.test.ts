import { expect } from 'chai';
import fc from 'fast-check';
import type { AnyCataloguer } from '../../../../src/sbom/cataloguer.ts';
import { alpm, parseAlpmDescription } from '../../../../src/sbom/cataloguers/alpm.ts';
import { bitnami } from '../../../../src/sbom/cataloguers/bitnami.ts';
import { buildpacks } from '../../../../src/sbom/cataloguers/buildpacks.ts';
import { conda, parseCondaPackage } from '../../../../src/sbom/cataloguers/conda.ts';
import { elfNotes, parsePackageNote } from '../../../../src/sbom/cataloguers/elf-notes.ts';
import { parseCycloneDx } from '../../../../src/sbom/cataloguers/formats/cyclonedx-document.ts';
import { parseSpdx } from '../../../../src/sbom/cataloguers/formats/spdx-document.ts';
import { osRelease } from '../../../../src/sbom/cataloguers/os-release.ts';
import { parseDescription, r } from '../../../../src/sbom/cataloguers/r.ts';
import { catalogue, layer } from '../image-fixture.ts';
import { elf } from './elf-fixture.ts';

async function componentsOf(files: Parameters<typeof layer>[0], cataloguers: readonly AnyCataloguer[]) {
  const { components } = await catalogue([layer(files)], cataloguers);
  return new Map(components.map((component) => [component.ref, component]));
}

describe('alpm cataloguer', () => {
  it('lists packages of pacman with edges through what they provide', async () => {
    const found = await componentsOf(
      {
        'etc/os-release': 'ID=arch\n',
        'var/lib/pacman/local/bash-5.2-1/desc':
          '%NAME%\nbash\n\n%VERSION%\n5.2-1\n\n%ARCH%\nx86_64\n\n%LICENSE%\nGPL-3.0-or-later\n\n%PACKAGER%\nAnn <ann@example.com>\n\n%DEPENDS%\nlibncursesw.so=6-64\nabsent\n\n',
        'var/lib/pacman/local/ncurses-6.4-1/desc':
          '%NAME%\nncurses\n\n%BASE%\nncurses-src\n\n%VERSION%\n6.4-1\n\n%ARCH%\nx86_64\n\n%PROVIDES%\nlibncursesw.so=6-64\n\n',
      },
      [osRelease, alpm],
    );
    const bash = found.get('pkg:alpm/arch/bash@5.2-1?arch=x86_64&distro=arch');
    expect(bash).to.deep.include({ licences: ['GPL-3.0-or-later'], dependencies: 'incomplete' });
    expect(bash?.dependsOn).to.deep.equal([
      'pkg:alpm/arch/ncurses@6.4-1?arch=x86_64&distro=arch&upstream=ncurses-src',
    ]);
  });
});

describe('conda cataloguer', () => {
  it('lists packages with channel and build, and edges within the environment', async () => {
    const zlib = {
      name: 'zlib',
      version: '1.3',
      build: 'h1',
      channel: 'https://conda.anaconda.org/conda-forge/linux-64',
      subdir: 'linux-64',
      license: 'Zlib',
    };
    const python = {
      name: 'python',
      version: '3.12',
      build: 'h2',
      channel: 'defaults',
      depends: ['zlib >=1.3,<2', '__glibc >=2.17'],
    };
    const found = await componentsOf(
      {
        'opt/conda/conda-meta/zlib-1.3-h1.json': JSON.stringify(zlib),
        'opt/conda/conda-meta/python-3.12-h2.json': JSON.stringify(python),
        'opt/conda/conda-meta/history': 'x',
      },
      [conda],
    );
    expect(found.get('pkg:conda/python@3.12?build=h2&channel=defaults')).to.deep.include({
      dependsOn: ['pkg:conda/zlib@1.3?build=h1&channel=conda-forge&subdir=linux-64'],
      dependencies: 'complete',
    });
  });
});

describe('r cataloguer', () => {
  it('lists installed packages and no source trees', async () => {
    const found = await componentsOf(
      {
        'usr/lib/R/library/stringr/DESCRIPTION':
          'Package: stringr\nVersion: 1.5.0\nLicense: MIT + file LICENSE\nMaintainer: Ann <ann@example.com>\nImports: glue (>= 1.0),\n  cli\nBuilt: R 4.3.1\n',
        'usr/lib/R/library/cli/DESCRIPTION': 'Package: cli\nVersion: 3.6.0\nBuilt: R 4.3.1\n',
        'src/x/DESCRIPTION': 'Package: x\nVersion: 1\n',
      },
      [r],
    );
    expect([...found.keys()]).to.deep.equal(['pkg:cran/cli@3.6.0', 'pkg:cran/stringr@1.5.0']);
    expect(found.get('pkg:cran/stringr@1.5.0')).to.deep.include({
      dependsOn: ['pkg:cran/cli@3.6.0'],
      dependencies: 'incomplete',
      supplier: { name: 'Ann', email: 'ann@example.com' },
    });
  });
});

describe('bitnami cataloguer', () => {
  it("lists Bitnami's own packages of an SPDX document with what they contain", async () => {
    const reference = (purl: string) => [
      { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl },
    ];
    const document = {
      spdxVersion: 'SPDX-2.3',
      packages: [
        {
          SPDXID: 'a',
          name: 'postgresql',
          versionInfo: '17.2.0-3',
          licenseDeclared: 'PostgreSQL',
          externalRefs: reference('pkg:bitnami/postgresql@17.2.0-3?arch=amd64'),
        },
        {
          SPDXID: 'b',
          name: 'geos',
          versionInfo: '3.8.3',
          licenseDeclared: 'NOASSERTION',
          licenseConcluded: 'LGPL-2.1-only',
          externalRefs: reference('pkg:bitnami/geos@3.8.3'),
        },
        { SPDXID: 'c', name: 'glibc', externalRefs: reference('pkg:deb/debian/glibc@2') },
      ],
      relationships: [{ spdxElementId: 'a', relationshipType: 'CONTAINS', relatedSpdxElement: 'b' }],
    };
    const found = await componentsOf(
      {
        'opt/bitnami/postgresql/.spdx-postgresql.spdx': JSON.stringify(document),
        'opt/bitnami/x/.spdx-x.spdx': 'SPDXVersion: SPDX-2.3\n',
      },
      [bitnami],
    );
    expect([...found.keys()]).to.deep.equal([
      'pkg:bitnami/geos@3.8.3',
      'pkg:bitnami/postgresql@17.2.0-3?arch=amd64',
    ]);
    expect(found.get('pkg:bitnami/postgresql@17.2.0-3?arch=amd64')?.dependsOn).to.deep.equal([
      'pkg:bitnami/geos@3.8.3',
    ]);
    expect(found.get('pkg:bitnami/geos@3.8.3')?.licences).to.deep.equal(['LGPL-2.1-only']);
  });

  it('reads the list of older images', async () => {
    const list = { redis: { arch: 'amd64', distro: 'debian-12', version: '7.0.0-1', type: 'NAMI' } };
    const found = await componentsOf({ 'opt/bitnami/.bitnami_components.json': JSON.stringify(list) }, [
      bitnami,
    ]);
    expect([...found.keys()]).to.deep.equal(['pkg:bitnami/redis@7.0.0-1?arch=amd64&distro=debian-12']);
  });
});

describe('buildpacks cataloguer', () => {
  it('lists what buildpacks say they installed at launch', async () => {
    const bom = {
      bomFormat: 'CycloneDX',
      components: [{ type: 'library', name: 'jre', version: '21', purl: 'pkg:generic/jre@21' }],
    };
    const found = await componentsOf(
      {
        'layers/sbom/launch/paketo_java/jre/sbom.cdx.json': JSON.stringify(bom),
        'layers/sbom/build/x/sbom.cdx.json': JSON.stringify({
          ...bom,
          components: [{ type: 'library', name: 'jdk' }],
        }),
      },
      [buildpacks],
    );
    expect([...found.keys()]).to.deep.equal(['pkg:generic/jre@21']);
  });
});

describe('elf-notes cataloguer', () => {
  const text = JSON.stringify({
    type: 'rpm',
    name: 'hello',
    version: '1.0-1.fc40',
    architecture: 'x86_64',
    os: 'fedora',
    osVersion: '40',
  });

  function note(owner: string, type: number, content: string): Buffer {
    const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes], Math.ceil(bytes.length / 4) * 4);
    const header = Buffer.alloc(12);
    header.writeUInt32LE(owner.length + 1, 0);
    header.writeUInt32LE(content.length, 4);
    header.writeUInt32LE(type, 8);
    return Buffer.concat([header, padded(Buffer.from(`${owner}\0`)), padded(Buffer.from(content))]);
  }

  it('lists the package that a program was built for', async () => {
    const notes = Buffer.concat([note('GNU', 3, 'build-id'), note('FDO', 0xcafe1a7e, `${text}\0`)]);
    const found = await componentsOf({ 'usr/bin/hello': elf([], { notes }) }, [elfNotes]);
    expect([...found.keys()]).to.deep.equal(['pkg:rpm/fedora/hello@1.0-1.fc40?arch=x86_64&distro=fedora-40']);
  });
});

describe('parsers of small formats', () => {
  it('end on any bytes or JSON, with an Error at worst', () => {
    const parsers = [
      parseAlpmDescription,
      parseCondaPackage,
      parseDescription,
      parsePackageNote,
      parseCycloneDx,
      parseSpdx,
    ];
    const bom = fc.record({
      bomFormat: fc.constant('CycloneDX'),
      spdxVersion: fc.constant('SPDX-2.3'),
      components: fc.jsonValue(),
      packages: fc.jsonValue(),
      dependencies: fc.jsonValue(),
      relationships: fc.jsonValue(),
      metadata: fc.jsonValue(),
    });
    const inputs = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
      bom.map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(inputs, (bytes) => {
        for (const parse of parsers) {
          try {
            parse(bytes);
          } catch (error) {
            expect(error).to.be.instanceOf(Error);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
