import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import type { FoundComponent } from '../../../../src/sbom/cataloguer.ts';
import { python } from '../../../../src/sbom/cataloguers/python.ts';
import { parsePythonMetadata, parsePythonOrigin } from '../../../../src/sbom/cataloguers/python-metadata.ts';
import { catalogue, layer } from '../image-fixture.ts';
import type { Member } from '../image-fixture.ts';

const site = 'usr/lib/python3.12/site-packages';

function metadata(name: string, version: string, ...lines: string[]): string {
  return [
    `Metadata-Version: 2.4`,
    `Name: ${name}`,
    `Version: ${version}`,
    ...lines,
    '',
    'License: not a header',
  ].join('\n');
}

async function componentsOf(
  ...layers: Readonly<Record<string, Member>>[]
): Promise<Map<string, FoundComponent>> {
  const { components } = await catalogue(layers.map(layer), [python]);
  return new Map(components.map((component) => [component.ref, component]));
}

describe('python cataloguer', () => {
  it('lists wheels, eggs and flat egg-info under normalised names', async () => {
    const found = await componentsOf({
      [`${site}/Zope.Interface-6.0.dist-info/METADATA`]: metadata('Zope.Interface', '6.0'),
      [`${site}/old_pkg-1.0.egg-info/PKG-INFO`]: metadata('old_pkg', '1.0'),
      [`${site}/flat-2.0.egg-info`]: metadata('flat', '2.0'),
      [`${site}/zipped-3.0-py3.12.egg/EGG-INFO/PKG-INFO`]: metadata('zipped', '3.0'),
      'src/PKG-INFO': metadata('source-tree', '9'),
      'docs/METADATA': metadata('nothing', '9'),
    });
    expect([...found.keys()]).to.deep.equal([
      'pkg:pypi/flat@2.0',
      'pkg:pypi/old-pkg@1.0',
      'pkg:pypi/zipped@3.0',
      'pkg:pypi/zope-interface@6.0',
    ]);
  });

  it('draws edges of Requires-Dist within site-packages, without extras and other systems', async () => {
    const found = await componentsOf({
      [`${site}/a-1.dist-info/METADATA`]: metadata(
        'a',
        '1',
        'Requires-Dist: B.b (>=1.0)',
        'Requires-Dist: c[fast]>=2 ; python_version >= "3.8"',
        "Requires-Dist: pytest ; extra == 'test'",
        'Requires-Dist: pywin32 ; sys_platform == "win32"',
      ),
      [`${site}/b_b-1.dist-info/METADATA`]: metadata('b_b', '1'),
      [`${site}/c-2.dist-info/METADATA`]: metadata('c', '2'),
      [`${site}/pytest-8.dist-info/METADATA`]: metadata('pytest', '8'),
    });
    expect(found.get('pkg:pypi/a@1')).to.deep.include({
      dependsOn: ['pkg:pypi/b-b@1', 'pkg:pypi/c@2'],
      dependencies: 'complete',
    });
  });

  it('prefers the own environment over another that has the same distribution', async () => {
    const found = await componentsOf({
      'opt/venv/lib/python3.12/site-packages/a-1.dist-info/METADATA': metadata('a', '1', 'Requires-Dist: b'),
      'opt/venv/lib/python3.12/site-packages/b-2.dist-info/METADATA': metadata('b', '2'),
      'a/site-packages/b-1.dist-info/METADATA': metadata('b', '1'),
    });
    expect(found.get('pkg:pypi/a@1')?.dependsOn).to.deep.equal(['pkg:pypi/b@2']);
  });

  it('names the repository that a distribution was installed from (PEP 610), without credentials', async () => {
    const found = await componentsOf({
      [`${site}/a-1.dist-info/METADATA`]: metadata('a', '1'),
      [`${site}/a-1.dist-info/direct_url.json`]: JSON.stringify({
        url: 'https://user:secret@example.com/a.git',
        vcs_info: { vcs: 'git', commit_id: 'c0ffee' },
      }),
      [`${site}/b-1.dist-info/METADATA`]: metadata('b', '1', 'Requires-Dist: a'),
    });
    const ref = 'pkg:pypi/a@1?vcs_url=git%2Bhttps%3A%2F%2Fexample.com%2Fa.git%40c0ffee';
    expect(found.get('pkg:pypi/b@1')?.dependsOn).to.deep.equal([ref]);
    expect(JSON.stringify(found.get(ref))).not.to.include('secret');
  });

  it('adds what the BOMs of a wheel name (PEP 770), as what the wheel depends on', async () => {
    const bom = {
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      metadata: { component: { type: 'library', name: 'a', 'bom-ref': 'root' } },
      components: [
        { type: 'library', name: 'asn1', version: '0.1', 'bom-ref': 'x', purl: 'pkg:cargo/asn1@0.1' },
        { type: 'library', name: 'libc', version: '0.2', 'bom-ref': 'y', purl: 'pkg:cargo/libc@0.2' },
        { type: 'file', name: 'readme' },
      ],
      dependencies: [
        { ref: 'root', dependsOn: ['x'] },
        { ref: 'x', dependsOn: ['y'] },
      ],
    };
    const found = await componentsOf({
      [`${site}/a-1.dist-info/METADATA`]: metadata('a', '1'),
      [`${site}/a-1.dist-info/sboms/a.cyclonedx.json`]: JSON.stringify(bom),
    });
    expect([...found.keys()]).to.deep.equal(['pkg:cargo/asn1@0.1', 'pkg:cargo/libc@0.2', 'pkg:pypi/a@1']);
    expect(found.get('pkg:pypi/a@1')?.dependsOn).to.deep.equal(['pkg:cargo/asn1@0.1']);
    expect(found.get('pkg:cargo/asn1@0.1')).to.deep.include({
      dependsOn: ['pkg:cargo/libc@0.2'],
      properties: { 'embedded-bom': 'PEP 770' },
    });
  });

  it('takes of such a BOM neither the wheel itself nor what has no version, and names what has no purl', async () => {
    // Shortened from auditwheel's and Pillow's.
    const wheel = 'pkg:pypi/a@1?file_name=a-1-cp311-cp311-manylinux_2_28_x86_64.whl';
    const bom = {
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      metadata: { component: { type: 'library', name: 'a', version: '1', 'bom-ref': wheel, purl: wheel } },
      components: [
        { type: 'library', name: 'a', version: '1', 'bom-ref': wheel, purl: wheel },
        { type: 'library', name: 'FreeType', version: '2.14.3', 'bom-ref': 'pkg:generic/freetype2' },
        { type: 'library', name: 'FriBiDi', version: '1.0.17', 'bom-ref': 'shim' },
        { type: 'library', name: 'pybind11', 'bom-ref': 'pkg:pypi/pybind11', scope: 'excluded' },
        { type: 'library', name: 'cc', version: '1.2', 'bom-ref': 'pkg:cargo/cc@1.2', scope: 'excluded' },
      ],
      dependencies: [{ ref: wheel, dependsOn: ['pkg:generic/freetype2', 'pkg:pypi/pybind11'] }],
    };
    const found = await componentsOf({
      [`${site}/a-1.dist-info/METADATA`]: metadata('a', '1', 'Author: Ann'),
      [`${site}/a-1.dist-info/sboms/a.cdx.json`]: JSON.stringify(bom),
    });
    expect([...found.keys()]).to.deep.equal([
      'pkg:cargo/cc@1.2',
      'pkg:generic/FriBiDi@1.0.17',
      'pkg:generic/freetype2@2.14.3',
      'pkg:pypi/a@1',
    ]);
    expect(found.get('pkg:cargo/cc@1.2')?.scope).to.equal('excluded');
    expect(found.get('pkg:pypi/a@1')?.dependsOn).to.deep.equal(['pkg:generic/freetype2@2.14.3']);
    expect(found.get('pkg:pypi/a@1')?.properties).to.deep.equal({ 'embedded-bom:unversioned': 'pybind11' });
    expect(found.get('pkg:generic/freetype2@2.14.3')).to.deep.include({
      supplier: { name: 'Ann' },
      properties: { 'embedded-bom': 'PEP 770', 'supplier-from': 'pkg:pypi/a@1' },
    });
  });

  it('has the hash of its metadata, as indexes list it (PEP 658), for want of that of the wheel', async () => {
    const found = await componentsOf({ [`${site}/a-1.dist-info/METADATA`]: metadata('a', '1') });
    const hex = createHash('sha256').update(metadata('a', '1')).digest('hex');
    expect(found.get('pkg:pypi/a@1')?.manifestHash).to.deep.equal({
      of: 'METADATA',
      algorithm: 'SHA-256',
      hex,
    });
  });

  it('forgets a distribution that a later layer deleted', async () => {
    const found = await componentsOf(
      { [`${site}/a-1.dist-info/METADATA`]: metadata('a', '1') },
      { [`${site}/.wh.a-1.dist-info`]: '' },
    );
    expect(found.size).to.equal(0);
  });
});

describe('python metadata', () => {
  const read = (...lines: string[]) => parsePythonMetadata(Buffer.from(metadata('a', '1', ...lines)));

  it('takes the licence expression, else the licence field, else the classifiers', () => {
    const classifier = 'Classifier: License :: OSI Approved :: Apache Software License';
    expect(read('License-Expression: MIT', 'License: other')?.licences).to.deep.equal(['MIT']);
    expect(read('License: BSD', classifier)?.licences).to.deep.equal(['BSD']);
    expect(read('License: UNKNOWN', classifier)?.licences).to.deep.equal(['Apache Software License']);
    expect(read(`License: ${'x'.repeat(300)}`, classifier)?.licences).to.deep.equal([
      'Apache Software License',
    ]);
    expect(read('License: line', ' pasted text')?.licences).to.equal(undefined);
  });

  it('reads names and addresses of authors and projects', () => {
    const fields = read(
      'Author-email: Ann Lee <ann@example.com>, b@c.d',
      'Project-URL: Source Code, https://github.com/a/b',
    );
    expect(fields?.author).to.deep.equal({ name: 'Ann Lee', email: 'ann@example.com' });
    expect(fields?.repository).to.equal('https://github.com/a/b');
    expect(read('Author-email: "Lee, Ann" <ann@example.com>, b@c.d')?.author).to.deep.equal({
      name: 'Lee, Ann',
      email: 'ann@example.com',
    });
    expect(read('Author: Ann Lee', 'Author-email: a@b.c, d@e.f')?.author).to.deep.equal({
      name: 'Ann Lee',
      email: 'a@b.c',
    });
  });

  it('ends on any bytes, with an Error at worst', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        parsePythonMetadata(bytes);
        expect(() => parsePythonOrigin(bytes)).to.throw(Error);
      }),
    );
  });
});
