import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import type { FoundComponent } from '../../../../src/sbom/cataloguer.ts';
import { npm } from '../../../../src/sbom/cataloguers/npm.ts';
import {
  parseNpmLock,
  parsePnpmLock,
  parseYarnLock,
} from '../../../../src/sbom/cataloguers/npm-lock-file.ts';
import { parseNpmManifest } from '../../../../src/sbom/cataloguers/npm-manifest.ts';
import { catalogue, layer } from '../image-fixture.ts';
import type { Member } from '../image-fixture.ts';
import { zip } from './zip-fixture.ts';

const digest = createHash('sha512').update('tarball');
const integrity = `sha512-${digest.copy().digest('base64')}`;
const hex = digest.digest('hex');

function manifest(name: string, version?: string, more: object = {}): string {
  return JSON.stringify({ name, version, ...more });
}

async function componentsOf(
  ...layers: Readonly<Record<string, Member>>[]
): Promise<Map<string, FoundComponent>> {
  const { components } = await catalogue(layers.map(layer), [npm]);
  return new Map(components.map((component) => [component.ref, component]));
}

describe('npm cataloguer', () => {
  it('lists installed packages, scoped ones with their scope as group, and leaves out stubs without a version', async () => {
    const found = await componentsOf({
      'app/node_modules/a/package.json': manifest('a', '1.0.0', { license: 'MIT' }),
      'app/node_modules/@s/b/package.json': manifest('@s/b', '2.0.0-rc.1'),
      'app/node_modules/a/dist/esm/package.json': '{"type":"module"}',
      'app/node_modules/a/dist/compiled/c/package.json': manifest('c'),
    });
    expect([...found.keys()]).to.deep.equal(['pkg:npm/%40s/b@2.0.0-rc.1', 'pkg:npm/a@1.0.0']);
    expect(found.get('pkg:npm/%40s/b@2.0.0-rc.1')).to.include({ group: '@s', name: 'b' });
    expect(found.get('pkg:npm/a@1.0.0')?.licences).to.deep.equal(['MIT']);
  });

  it('marks a package inside another as vendored and a project as application', async () => {
    const found = await componentsOf({
      'app/package.json': manifest('app', '0.1.0'),
      'app/node_modules/a/vendor/x/package.json': manifest('x', '3.0.0'),
      'usr/share/nodejs/ini/package.json': manifest('ini', '2.0.1'),
    });
    expect(found.get('pkg:npm/app@0.1.0')?.type).to.equal('application');
    expect(found.get('pkg:npm/x@3.0.0')?.properties).to.deep.equal({
      'npm:placement': 'inside another package',
    });
    expect(found.get('pkg:npm/ini@2.0.1')?.type).to.equal(undefined);
  });

  it('names as supplier the author, else the account of repository or scope, the site, the package around it', async () => {
    const folder = 'app/node_modules';
    const found = await componentsOf({
      [`${folder}/a/package.json`]: manifest('a', '1.0.0', { author: 'Ann', repository: 'x/a' }),
      [`${folder}/b/package.json`]: manifest('b', '1.0.0', { repository: 'x/b' }),
      [`${folder}/@types/c/package.json`]: manifest('@types/c', '1.0.0'),
      [`${folder}/d/package.json`]: manifest('d', '1.0.0', { homepage: 'https://reactjs.org/' }),
      [`${folder}/a/test/e/package.json`]: manifest('e', '1.0.0'),
      'srv/package.json': manifest('shop', '1.0.0'),
    });
    const suppliers = [...found.values()].map(({ name, supplier }) => `${name}: ${supplier?.name ?? ''}`);
    expect(suppliers).to.have.members(['a: Ann', 'b: x', 'c: @types', 'd: reactjs.org', 'e: Ann', 'shop: ']);
    expect(found.get('pkg:npm/e@1.0.0')?.properties?.['supplier-from']).to.equal('pkg:npm/a@1.0.0');
  });

  it('draws edges as Node resolves names: the nearest node_modules wins', async () => {
    const found = await componentsOf({
      'app/package.json': manifest('app', '1.0.0', { dependencies: { a: '*', b: '*' } }),
      'app/node_modules/a/package.json': manifest('a', '1.0.0', { dependencies: { b: '^2' } }),
      'app/node_modules/a/node_modules/b/package.json': manifest('b', '2.0.0'),
      'app/node_modules/b/package.json': manifest('b', '1.0.0', { peerDependencies: { a: '*', gone: '*' } }),
    });
    expect(found.get('pkg:npm/app@1.0.0')?.dependsOn).to.deep.equal(['pkg:npm/a@1.0.0', 'pkg:npm/b@1.0.0']);
    expect(found.get('pkg:npm/a@1.0.0')?.dependsOn).to.deep.equal(['pkg:npm/b@2.0.0']);
    expect(found.get('pkg:npm/b@1.0.0')).to.deep.include({
      dependsOn: ['pkg:npm/a@1.0.0'],
      dependencies: 'complete',
    });
  });

  it('says that edges are incomplete where a required package is missing', async () => {
    const found = await componentsOf({
      'node_modules/a/package.json': manifest('a', '1.0.0', {
        dependencies: { gone: '*', maybe: '*' },
        optionalDependencies: { maybe: '*' },
      }),
    });
    expect(found.get('pkg:npm/a@1.0.0')).to.deep.include({ dependsOn: [], dependencies: 'incomplete' });
  });

  it('takes hashes and development scope of the hidden lock file, if it names the version that is there', async () => {
    const lock = {
      packages: {
        'node_modules/a': { version: '1.0.0', integrity },
        'node_modules/b': { version: '1.0.0', integrity, dev: true },
        'node_modules/c': { version: '9.9.9', integrity },
        'node_modules/d': { version: '1.0.0', optional: true },
      },
    };
    const found = await componentsOf({
      'app/node_modules/.package-lock.json': JSON.stringify(lock),
      ...Object.fromEntries(
        ['a', 'b', 'c', 'd'].map((name) => [
          `app/node_modules/${name}/package.json`,
          manifest(name, '1.0.0'),
        ]),
      ),
    });
    expect(found.get('pkg:npm/a@1.0.0')?.hashes).to.deep.equal([{ algorithm: 'SHA-512', hex }]);
    expect(found.get('pkg:npm/b@1.0.0')?.scope).to.equal('excluded');
    expect(found.get('pkg:npm/c@1.0.0')?.hashes).to.equal(undefined);
    expect(found.get('pkg:npm/d@1.0.0')?.scope).to.equal('optional');
  });

  it('does not list what a lock file names and a later layer deleted, but counts it on the project', async () => {
    const lock = {
      packages: { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1.0.0' } },
    };
    const found = await componentsOf(
      {
        'app/package.json': manifest('app', '1.0.0'),
        'app/package-lock.json': JSON.stringify(lock),
        'app/node_modules/a/package.json': manifest('a', '1.0.0'),
        'app/node_modules/b/package.json': manifest('b', '1.0.0'),
      },
      { 'app/node_modules/.wh.b': '' },
    );
    expect([...found.keys()]).to.deep.equal(['pkg:npm/a@1.0.0', 'pkg:npm/app@1.0.0']);
    expect(found.get('pkg:npm/app@1.0.0')?.properties).to.deep.equal({ 'npm:locked-but-not-installed': '1' });
  });

  it("follows pnpm's links and takes hashes of its lock file", async () => {
    const store = 'app/node_modules/.pnpm';
    const found = await componentsOf({
      'app/package.json': manifest('app', '1.0.0', { dependencies: { a: '1' } }),
      'app/node_modules/a': { symlink: '.pnpm/a@1.0.0/node_modules/a' },
      [`${store}/lock.yaml`]: `lockfileVersion: '9.0'\n\npackages:\n\n  a@1.0.0:\n    resolution: {integrity: ${integrity}}\n`,
      [`${store}/a@1.0.0/node_modules/a/package.json`]: manifest('a', '1.0.0', { dependencies: { b: '2' } }),
      [`${store}/a@1.0.0/node_modules/b`]: { symlink: '../../b@2.0.0/node_modules/b' },
      [`${store}/b@2.0.0/node_modules/b/package.json`]: manifest('b', '2.0.0'),
    });
    expect(found.get('pkg:npm/app@1.0.0')?.dependsOn).to.deep.equal(['pkg:npm/a@1.0.0']);
    expect(found.get('pkg:npm/a@1.0.0')).to.deep.include({
      dependsOn: ['pkg:npm/b@2.0.0'],
      hashes: [{ algorithm: 'SHA-512', hex }],
    });
  });

  it('finds packages that hard links from a store brought in', async () => {
    const found = await componentsOf({
      'root/.store/v3/files/ab/cd': manifest('linked', '1.0.0'),
      'app/node_modules/linked/package.json': { hardlink: 'root/.store/v3/files/ab/cd' },
    });
    expect([...found.keys()]).to.deep.equal(['pkg:npm/linked@1.0.0']);
  });

  it("reads the archives of Yarn's Plug'n'Play", async () => {
    const found = await componentsOf({
      'app/.yarn/cache/lodash-npm-4.17.21-abc-10.zip': zip({
        'node_modules/lodash/index.js': 'x',
        'node_modules/lodash/package.json': manifest('lodash', '4.17.21', { license: 'MIT' }),
      }),
    });
    expect(found.get('pkg:npm/lodash@4.17.21')?.licences).to.deep.equal(['MIT']);
  });

  it('takes broken manifests among test data for what they are', async () => {
    const { gaps } = await catalogue([layer({ 'node_modules/a/test/malformed/package.json': '{' })], [npm]);
    expect(gaps).to.deep.equal([]);
  });

  it('notes a manifest that is no JSON as a gap and lists the others', async () => {
    const found = await catalogue(
      [layer({ 'node_modules/a/package.json': '{', 'node_modules/b/package.json': manifest('b', '1.0.0') })],
      [npm],
    );
    expect(found.components.map(({ ref }) => ref)).to.deep.equal(['pkg:npm/b@1.0.0']);
    expect(found.gaps.map(({ path }) => path)).to.deep.equal(['node_modules/a/package.json']);
  });

  it('gives a package with an impossible name a ref but no purl', async () => {
    const found = await componentsOf({ 'node_modules/x/package.json': manifest('@', '1.0.0') });
    for (const component of found.values()) expect(component.ref).to.be.a('string');
    expect(found.size).to.equal(1);
  });
});

describe('npm manifest', () => {
  const read = (value: object) =>
    parseNpmManifest(Buffer.from(JSON.stringify({ name: 'a', version: '1.0.0', ...value })));

  it('reads licences in all forms that npm had', () => {
    expect(read({ license: '(MIT OR Apache-2.0)' })?.licences).to.deep.equal(['(MIT OR Apache-2.0)']);
    expect(read({ license: { type: 'BSD', url: 'https://x' } })?.licences).to.deep.equal(['BSD']);
    expect(read({ licenses: [{ type: 'MIT' }, 'ISC'] })?.licences).to.deep.equal(['MIT', 'ISC']);
    expect(read({ license: 42 })?.licences).to.equal(undefined);
  });

  it('reads the author from a text or an object and the repository in short forms', () => {
    expect(read({ author: 'Ann <ann@example.com> (https://ann.example/)' })?.author).to.deep.equal({
      name: 'Ann',
      email: 'ann@example.com',
      url: 'https://ann.example/',
    });
    expect(read({ author: { name: 'Bob' } })?.author).to.deep.equal({ name: 'Bob' });
    expect(read({ repository: 'a/b' })?.repository).to.equal('https://github.com/a/b');
    expect(read({ repository: { url: 'git+ssh://git@github.com/a/b.git' } })?.repository).to.equal(
      'https://github.com/a/b',
    );
    expect(read({ repository: 'javascript:alert(1)' })?.repository).to.equal(undefined);
  });
});

describe('npm lock files', () => {
  it('reads lockfileVersion 1 with nested packages', () => {
    const lock = {
      dependencies: { a: { version: '1.0.0', dependencies: { b: { version: '2.0.0', dev: true } } } },
    };
    expect(parseNpmLock(Buffer.from(JSON.stringify(lock))).entries).to.deep.equal({
      'node_modules/a': { version: '1.0.0' },
      'node_modules/a/node_modules/b': { version: '2.0.0', scope: 'excluded' },
    });
  });

  it('reads yarn.lock of version 1 and of Berry, without workspaces', () => {
    const classic = `# yarn lockfile v1\n\n\n"@s/a@^1.0.0", "@s/a@~1.0":\n  version "1.0.5"\n  resolved "https://registry.yarnpkg.com/a#abc"\n  integrity ${integrity}\n  dependencies:\n    b "^2.0.0"\n`;
    expect(parseYarnLock(Buffer.from(classic)).entries).to.deep.equal({ '@s/a@1.0.5': { integrity } });
    const berry = `__metadata:\n  version: 8\n\n"a@npm:^1.0.0":\n  version: 1.2.3\n  resolution: "a@npm:1.2.3"\n  checksum: 10/abc\n\n"me@workspace:.":\n  version: 0.0.0-use.local\n`;
    expect(Object.keys(parseYarnLock(Buffer.from(berry)).entries)).to.deep.equal(['a@1.2.3']);
  });

  it('reads pnpm-lock.yaml of versions 5, 6 and 9', () => {
    const lock = (key: string) =>
      parsePnpmLock(
        Buffer.from(
          `packages:\n\n  ${key}:\n    resolution: {integrity: ${integrity}}\n    dev: true\n\nsnapshots:\n\n  x@1.0.0: {}\n`,
        ),
      ).entries;
    const entry = { integrity, scope: 'excluded' };
    expect(lock('/@s/a/1.0.0_peer@2.0.0')).to.deep.equal({ '@s/a@1.0.0': entry });
    expect(lock('/@s/a@1.0.0(peer@2.0.0)')).to.deep.equal({ '@s/a@1.0.0': entry });
    expect(lock("'@s/a@1.0.0'")).to.deep.equal({ '@s/a@1.0.0': entry });
  });

  it('ends on any bytes, with an Error at worst', () => {
    const parsers = [parseNpmManifest, parseNpmLock, parseYarnLock, parsePnpmLock];
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          for (const parse of parsers) {
            try {
              parse(bytes);
            } catch (error) {
              expect(error).to.be.instanceOf(Error);
            }
          }
        },
      ),
    );
  });
});
