import { expect } from 'chai';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import type { ArchiveFile } from '../../../src/sbom/archive-index.ts';
import { dpkg } from '../../../src/sbom/cataloguers/dpkg.ts';
import { openImageArchive } from '../../../src/sbom/image-archive.ts';
import { catalogue, pieces } from './image-fixture.ts';
import { tar } from './tar-fixture.ts';
import type { Member } from './tar-fixture.ts';

// Never aborted: mocha's own timeout ends a test that hangs.
const { signal } = new AbortController();
const fileOf = (members: Readonly<Record<string, Member>>): ArchiveFile => {
  const bytes = tar(members);
  return {
    name: 'image.tar',
    read: ({ offset = 0, length = bytes.length }) => pieces(bytes.subarray(offset, offset + length)),
  };
};
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  return 'none';
};
const layerTar = tar({ 'var/lib/dpkg/status': 'Package: curl\nVersion: 1\nArchitecture: amd64\n' });
const config = JSON.stringify({
  os: 'linux',
  architecture: 'amd64',
  rootfs: { diff_ids: [digestOf(layerTar)] },
});
const blob = (bytes: string | Uint8Array): string => `blobs/${digestOf(bytes).replace(':', '/')}`;

describe('image archive', () => {
  it('reads what docker save writes, with linked layers', async () => {
    const file = fileOf({
      'config.json': config,
      'one/layer.tar': layerTar,
      'two/layer.tar': { symlink: '../one/layer.tar' },
      'manifest.json': JSON.stringify([
        { Config: 'config.json', RepoTags: ['registry.test/team/app:1.0'], Layers: ['two/layer.tar'] },
      ]),
    });
    const source = await openImageArchive(file, { signal });
    expect([source.name, source.tag, source.digest]).to.deep.equal([
      'registry.test/team/app',
      '1.0',
      digestOf(config),
    ]);
    const { components } = await catalogue(source.layers, [dpkg]);
    expect(components.map(({ name }) => name)).to.deep.equal(['curl']);
  });

  const layout = (platforms: readonly string[]): Record<string, Member> => {
    const layerBytes = gzipSync(layerTar);
    const descriptor = (mediaType: string, bytes: string | Uint8Array): object => ({
      mediaType,
      digest: digestOf(bytes),
      size: Buffer.from(bytes).length,
    });
    const manifests = platforms.map((architecture) => ({
      architecture,
      text: JSON.stringify({
        schemaVersion: 2,
        annotations: { architecture },
        config: descriptor('application/vnd.oci.image.config.v1+json', config),
        layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layerBytes)],
      }),
    }));
    const nested = JSON.stringify({
      manifests: manifests.map(({ architecture, text }) => ({
        ...descriptor('application/vnd.oci.image.manifest.v1+json', text),
        platform: { os: 'linux', architecture },
      })),
    });
    return {
      [blob(config)]: config,
      [blob(layerBytes)]: layerBytes,
      ...Object.fromEntries(manifests.map(({ text }) => [blob(text), text])),
      [blob(nested)]: nested,
      'index.json': JSON.stringify({
        manifests: [descriptor('application/vnd.oci.image.index.v1+json', nested)],
      }),
    };
  };

  it('reads an OCI layout, nested indexes and compressed layers included', async () => {
    const source = await openImageArchive(fileOf(layout(['amd64'])), { signal });
    expect(source.name).to.equal('image.tar');
    const { components } = await catalogue(source.layers, [dpkg]);
    expect(components.map(({ name }) => name)).to.deep.equal(['curl']);
  });

  it('takes the platform that is asked for', async () => {
    const file = fileOf(layout(['amd64', 'arm64']));
    const [amd64, arm64] = await Promise.all(
      ['amd64', 'arm64'].map((architecture) =>
        openImageArchive(file, { signal, platform: { os: 'linux', architecture } }),
      ),
    );
    expect(amd64?.digest).not.to.equal(arm64?.digest);
    const absent = openImageArchive(file, { signal, platform: { os: 'linux', architecture: 's390x' } });
    expect(await codeOf(absent)).to.equal('ERR_SBOM_ARCHIVE');
  });

  it('takes a lone image whatever is preferred, and lists what there is where none fits', async () => {
    const preferred = { os: 'linux', architecture: 's390x' };
    const lone = await openImageArchive(fileOf(layout(['arm64'])), { signal, preferred });
    expect(lone.layers).to.have.length(1);
    const error: unknown = await openImageArchive(fileOf(layout(['amd64', 'arm64'])), {
      signal,
      preferred,
    }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property(
      'message',
      'image.tar holds no image for linux/s390x, only for linux/amd64, linux/arm64',
    );
  });

  it('refuses archives without image, with missing members, or with other bytes than promised with ERR_SBOM_ARCHIVE', async () => {
    const good = layout(['amd64']);
    const lacking = Object.fromEntries(Object.entries(good).filter(([path]) => path !== blob(config)));
    for (const members of [
      {},
      { 'index.json': 'not json' },
      { 'index.json': '{"manifests":[{"digest":"short"}]}' },
      { 'manifest.json': '[]' },
      { 'manifest.json': '[{"Config":"absent","Layers":[]}]' },
      { 'manifest.json': '[{"Config":"c","Layers":["absent"]}]', c: config },
      lacking,
      { ...good, [blob(config)]: `${config} ` },
    ]) {
      expect(await codeOf(openImageArchive(fileOf(members), { signal }))).to.equal('ERR_SBOM_ARCHIVE');
    }
  });

  it('refuses endless manifests with ERR_SBOM_LIMIT', async () => {
    const file = fileOf({ 'index.json': ' '.repeat(5 * 1024 * 1024) });
    expect(await codeOf(openImageArchive(file, { signal }))).to.equal('ERR_SBOM_LIMIT');
  });
});
