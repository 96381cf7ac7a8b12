import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseImageAddress } from '../../../src/commands/sbom/image-address.ts';
import { openImages } from '../../../src/commands/sbom/image-sources.ts';
import type { MeantImages } from '../../../src/commands/sbom/image-sources.ts';
import { localPlatform, parsePlatformChoice } from '../../../src/commands/sbom/platform-choice.ts';
import { digestOf } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { Descriptor } from '../../../src/model/oci.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { describeBytes, encode, indexOf, soon } from '../registry/sample-images.ts';
import { tar } from '../sbom/tar-fixture.ts';
import { systemClock } from '../signing/signed-evidence.ts';

const app = parseRepository('registry.test/team/app');
const [layer, otherArchitecture] = [tar({ 'etc/hostname': 'app' }), 's390x'];

describe('sbom: images', () => {
  let folder: string;
  let store: ImageStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-sbom-'));
    store = await openLayoutStore(join(folder, 'layout'), systemClock);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const configOf = (architecture: string): Buffer =>
    Buffer.from(JSON.stringify({ os: 'linux', architecture, rootfs: { diff_ids: [digestOf(layer)] } }));

  async function push(architecture: string, tag?: string): Promise<Descriptor> {
    const config = configOf(architecture);
    for (const bytes of [layer, config]) await store.putBlob(app, bytes, { signal: soon() });
    const manifest = encode({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [describeBytes(layer, 'application/vnd.oci.image.layer.v1.tar')],
    });
    if (tag === undefined) await store.putBlob(app, manifest.bytes, { signal: soon() });
    else await store.putManifest(app, tag, manifest, { signal: soon() });
    const platform = { os: 'linux', architecture };
    return { ...describeBytes(manifest.bytes, mediaTypes.ociManifest), platform };
  }

  async function pushIndex(tag: string): Promise<readonly Descriptor[]> {
    const manifests = [await push(otherArchitecture), await push(localPlatform().architecture)];
    await store.putManifest(app, tag, indexOf(manifests), { signal: soon() });
    return manifests;
  }

  const open = (address: string, platform?: string): Promise<MeantImages> =>
    openImages(parseImageAddress(address), {
      platform: parsePlatformChoice(platform),
      openRegistry: () => Promise.resolve(store),
      signal: soon(),
    });
  const digestsOf = ({ sources }: MeantImages): readonly string[] => sources.map(({ digest }) => digest);
  const faultOf = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'none',
      (error: unknown) => (isAppError(error) ? `${error.code}: ${error.message}` : String(error)),
    );
  const layout = (): string => `oci-layout:${join(folder, 'layout')}`;

  it('are resolved by tag in a registry', async () => {
    const image = await push('amd64', '1.0');
    const meant = await open('registry.test/team/app:1.0');
    expect([meant.name, ...digestsOf(meant)]).to.deep.equal(['registry.test/team/app', image.digest]);
  });

  it('are refused with ERR_SBOM_IMAGE_ABSENT where the registry holds none such', async () => {
    expect(await faultOf(open('registry.test/team/app'))).to.equal(
      'ERR_SBOM_IMAGE_ABSENT: there is no image registry.test/team/app:latest',
    );
  });

  it('are those of an index: this machine’s, the named one, or all', async () => {
    const [other, local] = await pushIndex('multi');
    expect(digestsOf(await open('registry.test/team/app:multi'))).to.deep.equal([local?.digest]);
    const named = await open('registry.test/team/app:multi', `linux/${otherArchitecture}`);
    expect(digestsOf(named)).to.deep.equal([other?.digest]);
    const all = await open('registry.test/team/app:multi', 'all');
    expect(digestsOf(all)).to.deep.equal([other?.digest, local?.digest]);
    expect(all.index).to.be.a('string');
    expect(named.index).to.equal(undefined);
  });

  it('are found in a layout folder as the only one, by tag, by full name and by digest', async () => {
    const { digest } = await push('amd64', '1.0');
    for (const suffix of ['', ':1.0', ':registry.test/team/app:1.0', `@${digest}`]) {
      const meant = await open(`${layout()}${suffix}`);
      expect(digestsOf(meant), suffix).to.deep.equal([digest]);
      expect(meant.name, suffix).to.equal('registry.test/team/app');
    }
  });

  it('are found in a layout folder as crane writes it', async () => {
    const image = await push('amd64');
    const entry = { ...image, artifactType: mediaTypes.ociConfig };
    const bundle = { ...image, digest: digestOf('bundle'), artifactType: mediaTypes.sigstoreBundle };
    const { bytes } = indexOf([bundle, entry]);
    await writeFile(join(folder, 'layout', 'index.json'), bytes);
    const meant = await open(layout());
    expect([meant.name, ...digestsOf(meant)]).to.deep.equal(['layout', image.digest]);
  });

  it('are not mixed up with the evidence beside them', async () => {
    const image = await push('amd64', '1.0');
    const evidence = encode({
      schemaVersion: 2,
      config: describeBytes(configOf('amd64'), mediaTypes.ociConfig),
      layers: [],
    });
    for (const suffix of ['.sig', '.att']) {
      await store.putManifest(app, `${image.digest.replace(':', '-')}${suffix}`, evidence, {
        signal: soon(),
      });
    }
    expect(digestsOf(await open(layout()))).to.deep.equal([image.digest]);
  });

  it('are refused with ERR_USAGE_LAYOUT and a list where several could be meant, or none', async () => {
    await push('amd64', '1.0');
    await push('arm64', '2.0');
    expect(await faultOf(open(layout()))).to.match(
      /^ERR_USAGE_LAYOUT: .* does not hold just one image, but registry\.test\/team\/app:1\.0, .*:2\.0$/,
    );
    expect(await faultOf(open(`${layout()}:3.0`))).to.match(/^ERR_USAGE_LAYOUT: .* named 3\.0/);
  });

  it('are refused with ERR_USAGE_LAYOUT for a folder that is none, which stays as it is', async () => {
    const empty = join(folder, 'empty');
    await mkdir(empty);
    expect(await faultOf(open(`oci-layout:${empty}`))).to.match(/^ERR_USAGE_LAYOUT: /);
    expect(await stat(join(empty, 'blobs')).catch(() => 'absent')).to.equal('absent');
  });

  it('are read from a tar file without unpacking it', async () => {
    const config = configOf(otherArchitecture);
    const file = join(folder, 'image.tar');
    const manifest = [{ Config: 'config.json', RepoTags: ['registry.test/team/app:1.0'], Layers: ['l.tar'] }];
    await writeFile(
      file,
      tar({ 'config.json': config, 'l.tar': layer, 'manifest.json': JSON.stringify(manifest) }),
    );
    const meant = await open(`tar:${file}`);
    expect([meant.name, ...digestsOf(meant)]).to.deep.equal(['registry.test/team/app', digestOf(config)]);
    const [first] = meant.sources[0]?.layers ?? [];
    const chunks = first === undefined ? [] : await Array.fromAsync(await first.open({ signal: soon() }));
    expect(digestOf(Buffer.concat(chunks))).to.equal(digestOf(layer));
    expect(await faultOf(open(`tar:${file}`, 'all'))).to.match(/^ERR_USAGE_PLATFORM: /);
  });

  it('are refused with ERR_USAGE_FILE where there is no tar file', async () => {
    expect(await faultOf(open(`tar:${join(folder, 'none.tar')}`))).to.match(/^ERR_USAGE_FILE: /);
    expect(await faultOf(open(`tar:${folder}`))).to.match(/^ERR_USAGE_FILE: .*it is no file/);
  });
});
