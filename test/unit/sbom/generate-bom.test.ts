import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import { BomGenerator } from '../../../src/sbom/bom-generator.ts';
import { createBomValidator } from '../../../src/sbom/bom-validator.ts';
import type { BomValidator } from '../../../src/sbom/bom-validator.ts';
import { dpkg } from '../../../src/sbom/cataloguers/dpkg.ts';
import { npm } from '../../../src/sbom/cataloguers/npm.ts';
import { osRelease } from '../../../src/sbom/cataloguers/os-release.ts';
import { generateBom } from '../../../src/sbom/generate-bom.ts';
import type { GenerateBomOptions, GeneratedBom } from '../../../src/sbom/generate-bom.ts';
import { LayerCache } from '../../../src/sbom/layer-cache.ts';
import type { LayerSource } from '../../../src/sbom/layer-source.ts';
import { defaultSbomLimits } from '../../../src/sbom/sbom-limits.ts';
import { image, layer } from './image-fixture.ts';

const status = (count: number): string =>
  Array.from(
    { length: count },
    (_, at) => `Package: p${at}
Status: install ok installed
Version: 1.${at}+b1
Architecture: amd64
Maintainer: Someone <someone@example.org>
${at > 0 ? `Depends: p${at - 1}` : 'Homepage: https://example.org/'}
`,
  ).join('\n');
const release = {
  'etc/os-release':
    'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\nHOME_URL="https://www.debian.org/"\n',
};
const files = (count = 3): Record<string, string> => ({
  ...release,
  'var/lib/dpkg/status': status(count),
  'usr/share/doc/p0/copyright': 'Format: x\nLicense: GPL-2+ or Artistic\n\nLicense: own\n',
  'usr/share/doc/p1/copyright': 'Format: x\nLicense: Expat\n\nLicense: own words\n',
});
const settings = { generator: { name: 'chainwright', version: '0.1.0' } };
const options = (change: Partial<GenerateBomOptions> = {}): GenerateBomOptions => ({
  cataloguers: [osRelease, dpkg],
  cache: new LayerCache(1024 * 1024),
  limits: defaultSbomLimits,
  settings,
  signal: AbortSignal.timeout(60_000),
  ...change,
});
interface Document {
  serialNumber: string;
  metadata: {
    timestamp: string;
    component: Record<string, unknown>;
    supplier?: unknown;
    manufacturer?: unknown;
    properties?: unknown;
  };
  components: Record<string, unknown>[];
  dependencies: { ref: string; dependsOn?: string[] }[];
  compositions: { aggregate: string; assemblies?: string[]; dependencies?: string[] }[];
}
const parse = ({ bytes }: GeneratedBom): Document => JSON.parse(Buffer.from(bytes).toString()) as Document;
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  return 'none';
};

describe('generated BOM', () => {
  let validate: BomValidator;

  before(async () => {
    validate = await createBomValidator();
  });

  it("is valid by CycloneDX's own schema", async () => {
    const bom = await generateBom(image([layer(files())]), options());
    expect(validate(parse(bom))).to.deep.equal([]);
  });

  it('has the same bytes each time, whether layers were read or known', async () => {
    const source = image([layer(files()), layer({ 'usr/share/doc/.wh.p1': '' })]);
    const cache = new LayerCache(1024 * 1024);
    const boms = [
      await generateBom(source, options({ cache })),
      await generateBom(source, options({ cache })),
      await generateBom(source, options()),
    ];
    const [first, ...others] = boms.map(({ bytes }) => Buffer.from(bytes).toString());
    for (const other of others) expect(other).to.equal(first);
  });

  it('has a serial number that follows digest, name and settings', async () => {
    const base = image([layer(files())]);
    const serial = async (source: LayerSource, change = settings): Promise<string> =>
      (await generateBom(source, options({ settings: change }))).serialNumber;
    const first = await serial(base);
    expect(first).to.match(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const others = [
      await serial({ ...base, digest: digestOf('other') }),
      await serial({ ...base, name: 'other.test/app' }),
      await serial(base, { generator: { name: 'chainwright', version: '0.2.0' } }),
    ];
    expect(new Set([first, ...others]).size).to.equal(4);
  });

  it('names the image by an OCI purl with its digest, platform and layers', async () => {
    const source = image([layer(files())], {
      labels: {
        'org.opencontainers.image.source': 'https://git.test/app',
        'org.opencontainers.image.vendor': 'Golem Trust',
      },
    });
    const { metadata } = parse(await generateBom(source, options()));
    expect(metadata.timestamp).to.equal('2026-01-02T03:04:05.678Z');
    expect(metadata.component).to.deep.include({
      type: 'container',
      name: 'registry.test/team/app',
      version: source.digest,
      purl: `pkg:oci/app@${source.digest}?arch=amd64&repository_url=registry.test%2Fteam%2Fapp&tag=1.0`,
      hashes: [{ alg: 'SHA-256', content: source.digest.slice(7) }],
      supplier: { name: 'Golem Trust' },
      externalReferences: [{ type: 'vcs', url: 'https://git.test/app' }],
    });
    expect(metadata.manufacturer).to.deep.equal({ name: 'Golem Trust' });
    expect(metadata.component['properties']).to.deep.include({
      name: 'chainwright:image:layer:0:digest',
      value: source.layers[0]?.digest,
    });
  });

  it('takes 1970 for the time of an image without or with a broken creation time', async () => {
    for (const created of [undefined, 'yesterday']) {
      const source = image([layer(release)]);
      const { digest, platform, labels } = source.config;
      const config = { digest, platform, labels, ...(created === undefined ? {} : { created }) };
      const changed = { ...source, config };
      expect(parse(await generateBom(changed, options())).metadata.timestamp).to.equal(
        '1970-01-01T00:00:00.000Z',
      );
    }
  });

  it('says of each component what, by whom, under which licence and where', async () => {
    const source = image([layer(release), layer(files())]);
    const { components } = parse(await generateBom(source, options()));
    expect(components.map(({ name }) => name)).to.deep.equal(['debian', 'p0', 'p1', 'p2']);
    expect(components[1]).to.deep.equal({
      type: 'library',
      name: 'p0',
      version: '1.0+b1',
      'bom-ref': 'pkg:deb/debian/p0@1.0+b1?arch=amd64&distro=debian-12',
      purl: 'pkg:deb/debian/p0@1.0%2Bb1?arch=amd64&distro=debian-12',
      supplier: { name: 'Someone', contact: [{ name: 'Someone', email: 'someone@example.org' }] },
      licenses: [
        {
          expression: '(GPL-2.0-or-later OR Artistic-1.0-Perl) AND LicenseRef-own',
          acknowledgement: 'declared',
        },
      ],
      externalReferences: [{ type: 'website', url: 'https://example.org/' }],
      properties: [{ name: 'chainwright:layer:digest', value: source.layers[1]?.digest }],
      evidence: {
        identity: [
          {
            field: 'purl',
            confidence: 1,
            methods: [{ technique: 'manifest-analysis', confidence: 1, value: 'var/lib/dpkg/status' }],
          },
        ],
        occurrences: [{ location: '/var/lib/dpkg/status' }, { location: '/usr/share/doc/p0/copyright' }],
      },
    });
  });

  it('gives the hash of what names a component and says so, and leaves it out of smaller documents', async () => {
    const sums = { 'var/lib/dpkg/info/p0.md5sums': `${'0'.repeat(32)}  usr/bin/p0\n` };
    const source = image([layer({ ...files(), ...sums })]);
    const full = await generateBom(source, options());
    const component = parse(full).components.find(({ name }) => name === 'p0');
    const hex = createHash('sha256').update(sums['var/lib/dpkg/info/p0.md5sums']).digest('hex');
    expect(component?.['hashes']).to.deep.equal([{ alg: 'SHA-256', content: hex }]);
    expect(component?.['properties']).to.deep.include({ name: 'chainwright:hash-of', value: 'md5sums' });
    expect(validate(parse(full))).to.deep.equal([]);
    const reduced = await generateBom(
      source,
      options({ settings: { ...settings, maxBytes: full.bytes.length - 1 } }),
    );
    expect(parse(reduced).components.find(({ name }) => name === 'p0')?.['hashes']).to.equal(undefined);
  });

  it('names the publisher as supplier of what nobody else is known to have put into the image', async () => {
    const source = image([layer({ 'srv/package.json': '{"name":"shop","version":"1.0.0"}' })]);
    const publisher = { name: 'Golem Trust', email: 'security@golems.test' };
    const published = options({ cataloguers: [npm], settings: { ...settings, publisher } });
    const supplied = parse(await generateBom(source, published)).components[0];
    expect(supplied?.['supplier']).to.deep.include({ name: 'Golem Trust' });
    expect(supplied?.['properties']).to.deep.include({ name: 'chainwright:supplier-from', value: 'image' });
    expect(
      parse(await generateBom(source, options({ cataloguers: [npm] }))).components[0]?.['supplier'],
    ).to.equal(undefined);
  });

  it('has a graph that reaches every component from the image, and tells what is complete', async () => {
    const { metadata, components, dependencies, compositions } = parse(
      await generateBom(image([layer(files())]), options()),
    );
    const root = String(metadata.component['bom-ref']);
    const edges = new Map(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn ?? []]));
    const reached = new Set<string>();
    const pending = [root];
    for (let ref = pending.pop(); ref !== undefined; ref = pending.pop()) {
      reached.add(ref);
      pending.push(...(edges.get(ref) ?? []).filter((to) => !reached.has(to)));
    }
    for (const component of components) expect(reached.has(String(component['bom-ref']))).to.equal(true);
    expect(compositions[0]).to.deep.equal({ aggregate: 'unknown', assemblies: [root], dependencies: [root] });
    expect(compositions[1]?.aggregate).to.equal('complete');
    expect(compositions[1]?.dependencies).to.have.length(components.length);
  });

  it('says where it has gaps instead of being silently short', async () => {
    const source = image([
      layer({ ...files(), 'var/lib/rpm/x': '', 'usr/share/doc/p2/copyright': 'z'.repeat(9_000_000) }),
    ]);
    const bom = await generateBom(source, options());
    const { metadata, compositions } = parse(bom);
    expect(bom.gaps).to.have.length(1);
    expect(metadata.properties).to.deep.equal([
      { name: 'chainwright:gap', value: 'dpkg: usr/share/doc/p2/copyright: larger than 8388608 bytes' },
    ]);
    expect(compositions[0]?.aggregate).to.equal('incomplete');
  });

  it('makes a BOM of an image in which nothing is known', async () => {
    const bom = await generateBom(image([layer({ 'bin/only': 'program' })]), options());
    expect(validate(parse(bom))).to.deep.equal([]);
    expect(bom.rows).to.deep.equal([]);
  });

  it('sums up for tables', async () => {
    const { counts, rows, distro } = await generateBom(image([layer(files())]), options());
    expect(counts).to.deep.equal({ 'operating-system': 1, deb: 3 });
    expect(distro?.qualifier).to.equal('debian-12');
    expect(rows[2]).to.deep.equal({
      type: 'deb',
      name: 'p1',
      version: '1.1+b1',
      licences: 'own words, MIT',
      path: '/var/lib/dpkg/status',
    });
  });

  it('tells how far it is', async () => {
    const layers = [layer(files()), layer(release)];
    const seen: number[] = [];
    await generateBom(
      image(layers),
      options({ onProgress: ({ bytes, totalBytes }) => seen.push(bytes / totalBytes) }),
    );
    expect(seen.at(-1)).to.equal(1);
    expect(seen).to.deep.equal([...seen].sort((a, b) => a - b));
  });

  it('grows smaller by the ladder when it is bounded, says so, and stays valid', async () => {
    const source = image([layer(files(50))]);
    const full = await generateBom(source, options());
    const maxBytes = full.bytes.length - 1;
    const reduced = await generateBom(source, options({ settings: { ...settings, maxBytes } }));
    expect(reduced.bytes.length).to.be.below(full.bytes.length);
    const document = parse(reduced);
    expect(document.components).to.have.length(parse(full).components.length);
    expect(JSON.stringify(document.metadata.properties)).to.include('chainwright:reduced');
    expect(validate(document)).to.deep.equal([]);
  });

  it('refuses what does not fit even so with ERR_SBOM_TOO_LARGE', async () => {
    const work = generateBom(image([layer(files())]), options({ settings: { ...settings, maxBytes: 1000 } }));
    expect(await codeOf(work)).to.equal('ERR_SBOM_TOO_LARGE');
  });

  it('refuses Windows images with ERR_SBOM_PLATFORM', async () => {
    const source = image([layer({})], { platform: { os: 'windows', architecture: 'amd64' } });
    expect(await codeOf(generateBom(source, options()))).to.equal('ERR_SBOM_PLATFORM');
  });

  it('refuses more components than the limit with ERR_SBOM_LIMIT', async () => {
    const limits = { ...defaultSbomLimits, components: 2 };
    expect(await codeOf(generateBom(image([layer(files())]), options({ limits })))).to.equal(
      'ERR_SBOM_LIMIT',
    );
  });

  it('gives up on a registry that stands still with ERR_SBOM_TIMEOUT', async () => {
    const source = image([{ ...layer(files()), open: async ({ signal }) => await stall(signal) }]);
    const limits = { ...defaultSbomLimits, durationMs: 20 };
    expect(await codeOf(generateBom(source, options({ limits })))).to.equal('ERR_SBOM_TIMEOUT');
  });

  it('reports a cataloguer that fails with ERR_SBOM_CATALOGUER', async () => {
    const broken = {
      ...dpkg,
      assemble: () => {
        throw new Error('oops');
      },
    };
    expect(await codeOf(generateBom(image([layer(files())]), options({ cataloguers: [broken] })))).to.equal(
      'ERR_SBOM_CATALOGUER',
    );
  });
});

function stall(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => {
    reject(signal.reason as Error);
  });
  return promise;
}

describe('BOM generator', () => {
  const generator = (): BomGenerator =>
    new BomGenerator({
      cataloguers: [osRelease, dpkg],
      settings,
      limits: defaultSbomLimits,
      concurrency: 1,
      layerCacheBytes: 1024 * 1024,
      bomCacheBytes: 1024 * 1024,
    });
  const signal = (): AbortSignal => new AbortController().signal;

  it('reads an image once however many ask for it, and keeps its BOM', async () => {
    await using boms = generator();
    const base = layer(files());
    const source = image([base]);
    const [first, second] = await Promise.all([
      boms.generate(source, { signal: signal() }),
      boms.generate(source, { signal: signal() }),
    ]);
    expect(await boms.generate(source, { signal: signal() })).to.equal(first);
    expect(second).to.equal(first);
    expect(base.opened).to.equal(1);
  });

  it('goes on for the others when one who waits leaves, and stops when all have left', async () => {
    await using boms = generator();
    let stopped = false;
    const { promise: opened, resolve } = Promise.withResolvers<undefined>();
    const hanging = {
      ...layer(files()),
      open: async (request: { signal: AbortSignal }): Promise<never> => {
        resolve(undefined);
        return await stall(request.signal).finally(() => (stopped = true));
      },
    };
    const leavers = [new AbortController(), new AbortController()];
    const works = leavers.map((leaver) =>
      boms.generate(image([hanging]), { signal: leaver.signal }).catch(String),
    );
    await opened;
    leavers[0]?.abort(new Error('first left'));
    expect(await works[0]).to.equal('Error: first left');
    expect(stopped).to.equal(false);
    leavers[1]?.abort(new Error('second left'));
    expect(await works[1]).to.equal('Error: second left');
    await new Promise((done) => setImmediate(done));
    expect(stopped).to.equal(true);
  });

  it('forgets what failed', async () => {
    await using boms = generator();
    const base = layer(files());
    let fail = true;
    const open: typeof base.open = (request) =>
      fail ? Promise.reject(new Error('reset')) : base.open(request);
    const source = image([{ ...base, open }]);
    expect(await boms.generate(source, { signal: signal() }).catch(String)).to.equal('Error: reset');
    fail = false;
    expect((await boms.generate(source, { signal: signal() })).counts['deb']).to.equal(3);
  });

  it('stops all work when it is closed', async () => {
    const boms = generator();
    const source = image([{ ...layer(files()), open: ({ signal: stop }) => stall(stop) }]);
    const work = boms.generate(source, { signal: signal() }).catch(String);
    await boms[Symbol.asyncDispose]();
    expect(await work).to.equal('AbortError: the SBOM generator is closing');
  });
});
