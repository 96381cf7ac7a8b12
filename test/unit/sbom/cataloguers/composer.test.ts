import { expect } from 'chai';
import fc from 'fast-check';
import { composer, parseInstalledJson } from '../../../../src/sbom/cataloguers/composer.ts';
import { catalogue, layer } from '../image-fixture.ts';

const psrLog = {
  name: 'psr/log',
  version: '3.0.0',
  license: ['MIT', 'Apache-2.0'],
  require: { php: '>=8.0', 'ext-json': '*' },
  authors: [{ name: 'PHP-FIG', homepage: 'https://www.php-fig.org/' }],
  source: { type: 'git', url: 'https://github.com/php-fig/log.git' },
  'install-path': '../psr/log',
};
const monolog = {
  name: 'Monolog/Monolog',
  version: '3.5.0',
  require: { 'psr/log': '^3', 'virtual/clock': '1' },
  'install-path': '../monolog/monolog',
};
const clock = {
  name: 'x/clock',
  version: '1.0.0',
  provide: { 'virtual/clock': '1' },
  'install-path': '../x/clock',
};
const manifests = {
  'app/vendor/psr/log/composer.json': '{}',
  'app/vendor/monolog/monolog/composer.json': '{}',
  'app/vendor/x/clock/composer.json': '{}',
};

async function componentsOf(...layers: Readonly<Record<string, string>>[]) {
  const { components } = await catalogue(layers.map(layer), [composer]);
  return new Map(components.map((component) => [component.ref, component]));
}

describe('composer cataloguer', () => {
  const installed = JSON.stringify({ packages: [psrLog, monolog, clock], 'dev-package-names': ['x/clock'] });

  it('lists installed packages with licences, edges and development scope', async () => {
    const found = await componentsOf({ 'app/vendor/composer/installed.json': installed, ...manifests });
    expect([...found.keys()]).to.deep.equal([
      'pkg:composer/monolog/monolog@3.5.0',
      'pkg:composer/psr/log@3.0.0',
      'pkg:composer/x/clock@1.0.0',
    ]);
    expect(found.get('pkg:composer/psr/log@3.0.0')).to.deep.include({
      licences: ['MIT OR Apache-2.0'],
      dependencies: 'complete',
    });
    expect(found.get('pkg:composer/monolog/monolog@3.5.0')?.dependsOn).to.deep.equal([
      'pkg:composer/psr/log@3.0.0',
      'pkg:composer/x/clock@1.0.0',
    ]);
    expect(found.get('pkg:composer/x/clock@1.0.0')?.scope).to.equal('excluded');
  });

  it('leaves out a package whose files a later layer deleted', async () => {
    const found = await componentsOf(
      { 'app/vendor/composer/installed.json': installed, ...manifests },
      { 'app/vendor/psr/.wh.log': '' },
    );
    expect([...found.keys()]).not.to.include('pkg:composer/psr/log@3.0.0');
    expect(found.size).to.equal(2);
  });

  it('believes the list where the image was stripped of all manifests, and reads version 1 of it', async () => {
    const found = await componentsOf({ 'vendor/composer/installed.json': JSON.stringify([psrLog]) });
    expect([...found.keys()]).to.deep.equal(['pkg:composer/psr/log@3.0.0']);
  });

  it('ends on any JSON, with an Error at worst', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseInstalledJson(Buffer.from(text));
        } catch (error) {
          expect(error).to.be.instanceOf(Error);
        }
      }),
    );
  });
});
