import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { dotnet, parseDepsJson } from '../../../../src/sbom/cataloguers/dotnet.ts';
import { catalogue, layer } from '../image-fixture.ts';

const digest = createHash('sha512').update('nupkg');
const sha512 = `sha512-${digest.copy().digest('base64')}`;
const target = {
  'App/1.0.0': {
    dependencies: { 'Newtonsoft.Json': '13.0.3', Meta: '2.0.0', Analyzer: '1.0.0' },
    runtime: { 'App.dll': {} },
  },
  'Newtonsoft.Json/13.0.3': { runtime: { 'lib/net6.0/Newtonsoft.Json.dll': {} } },
  'Meta/2.0.0': { dependencies: { Serilog: '3.1.1' } },
  'Serilog/3.1.1': { runtime: { 'lib/net7.0/Serilog.dll': {} } },
  'Analyzer/1.0.0': {},
  'Native/1.0.0': { runtimeTargets: { 'runtimes/linux-x64/native/libn.so': { rid: 'linux-x64' } } },
};
const deps = JSON.stringify({
  runtimeTarget: { name: '.NETCoreApp,Version=v8.0' },
  targets: { '.NETCoreApp,Version=v8.0': target, other: { 'Wrong/1.0.0': {} } },
  libraries: {
    'App/1.0.0': { type: 'project', sha512: '' },
    'Newtonsoft.Json/13.0.3': { type: 'package', sha512 },
  },
});

async function componentsOf(...layers: Readonly<Record<string, string>>[]) {
  const { components } = await catalogue(layers.map(layer), [dotnet]);
  return new Map(components.map((component) => [component.ref, component]));
}

describe('dotnet cataloguer', () => {
  const assemblies = { 'app/App.dll': 'MZ', 'app/Newtonsoft.Json.dll': 'MZ', 'app/Serilog.dll': 'MZ' };

  it('lists the libraries whose assemblies are there, and packages that only stand for others', async () => {
    const found = await componentsOf({ 'app/App.deps.json': deps, ...assemblies });
    expect([...found.keys()]).to.deep.equal([
      'pkg:nuget/App@1.0.0',
      'pkg:nuget/Meta@2.0.0',
      'pkg:nuget/Newtonsoft.Json@13.0.3',
      'pkg:nuget/Serilog@3.1.1',
    ]);
    expect(found.get('pkg:nuget/App@1.0.0')).to.deep.include({
      type: 'application',
      dependsOn: ['pkg:nuget/Newtonsoft.Json@13.0.3', 'pkg:nuget/Meta@2.0.0'],
      dependencies: 'incomplete',
    });
    expect(found.get('pkg:nuget/Newtonsoft.Json@13.0.3')?.hashes).to.deep.equal([
      { algorithm: 'SHA-512', hex: digest.digest('hex') },
    ]);
  });

  it('leaves out a library whose assembly a later layer deleted', async () => {
    const found = await componentsOf(
      { 'app/App.deps.json': deps, ...assemblies },
      { 'app/.wh.Serilog.dll': '' },
    );
    expect([...found.keys()]).to.deep.equal(['pkg:nuget/App@1.0.0', 'pkg:nuget/Newtonsoft.Json@13.0.3']);
  });

  it('believes the list of a program that holds its assemblies itself', async () => {
    const found = await componentsOf({ 'app/App.deps.json': deps });
    expect([...found.keys()]).to.include('pkg:nuget/Native@1.0.0');
    expect([...found.keys()]).not.to.include('pkg:nuget/Analyzer@1.0.0');
  });

  it('ends on any JSON, with an Error at worst', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseDepsJson(Buffer.from(text));
        } catch (error) {
          expect(error).to.be.instanceOf(Error);
        }
      }),
    );
  });
});
