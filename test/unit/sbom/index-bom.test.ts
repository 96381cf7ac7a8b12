import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { createBomValidator } from '../../../src/sbom/bom-validator.ts';
import { dpkg } from '../../../src/sbom/cataloguers/dpkg.ts';
import { generateBom } from '../../../src/sbom/generate-bom.ts';
import type { GeneratedBom } from '../../../src/sbom/generate-bom.ts';
import { writeIndexBom } from '../../../src/sbom/index-bom.ts';
import { LayerCache } from '../../../src/sbom/layer-cache.ts';
import { defaultSbomLimits } from '../../../src/sbom/sbom-limits.ts';
import { image, layer } from './image-fixture.ts';

const settings = { generator: { name: 'chainwright', version: '0.1.0' } };
const platform = async (architecture: string, created: string): Promise<GeneratedBom> => {
  const status = `Package: shared\nVersion: 1\nArchitecture: all\nDepends: own\n\nPackage: own\nVersion: 1\nArchitecture: ${architecture}\n`;
  const source = image([layer({ 'var/lib/dpkg/status': status })], {
    platform: { os: 'linux', architecture },
    created,
  });
  return await generateBom(
    { ...source, digest: digestOf(architecture) },
    {
      cataloguers: [dpkg],
      cache: new LayerCache(1024),
      limits: defaultSbomLimits,
      settings,
      signal: AbortSignal.timeout(60_000),
    },
  );
};

interface Document {
  metadata: { timestamp: string; component: { 'bom-ref': string; purl: string } };
  components: { 'bom-ref': string; type: string; externalReferences?: { type: string; url: string }[] }[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}

describe('index BOM', () => {
  let boms: GeneratedBom[];

  before(async () => {
    boms = [await platform('amd64', '2026-01-01T00:00:00Z'), await platform('arm64', '2026-01-02T00:00:00Z')];
  });

  const write = (): GeneratedBom =>
    writeIndexBom(
      { name: 'registry.test/team/app', tag: '1.0', digest: digestOf('index'), platforms: boms },
      settings,
    );
  const parse = ({ bytes }: GeneratedBom): Document => JSON.parse(Buffer.from(bytes).toString()) as Document;

  it('is valid, and has the same bytes each time', async () => {
    const validate = await createBomValidator();
    expect(validate(parse(write()))).to.deep.equal([]);
    expect(Buffer.from(write().bytes).equals(write().bytes)).to.equal(true);
  });

  it('is about the index, and has the newest time', () => {
    const { metadata } = parse(write());
    expect(metadata.component.purl).to.equal(
      `pkg:oci/app@${digestOf('index')}?repository_url=registry.test%2Fteam%2Fapp&tag=1.0`,
    );
    expect(metadata.timestamp).to.equal('2026-01-02T00:00:00.000Z');
  });

  it('links the BOM of each platform and lists the packages of all, shared ones once', () => {
    const { components } = parse(write());
    const containers = components.filter(({ type }) => type === 'container');
    expect(containers.map(({ externalReferences }) => externalReferences)).to.deep.equal(
      boms.map(({ serialNumber }) => [{ url: `urn:cdx:${serialNumber.slice(9)}/1`, type: 'bom' }]),
    );
    expect(components.filter(({ type }) => type === 'library').map((one) => one['bom-ref'])).to.deep.equal([
      'pkg:deb/debian/own@1?arch=amd64',
      'pkg:deb/debian/shared@1?arch=all',
      'pkg:deb/debian/own@1?arch=arm64',
    ]);
  });

  it('joins the edges of a package that several platforms share', () => {
    const { dependencies, metadata } = parse(write());
    const edges = new Map(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
    expect(edges.get('pkg:deb/debian/shared@1?arch=all')).to.deep.equal([
      'pkg:deb/debian/own@1?arch=amd64',
      'pkg:deb/debian/own@1?arch=arm64',
    ]);
    expect(edges.get(metadata.component['bom-ref'])).to.have.length(2);
  });
});
