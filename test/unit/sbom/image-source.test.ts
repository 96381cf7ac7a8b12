import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import type { Descriptor } from '../../../src/model/oci.ts';
import { toLayerSource } from '../../../src/sbom/image-source.ts';
import type { ImageParts } from '../../../src/sbom/image-source.ts';
import { pieces } from './image-fixture.ts';

const diffIds = [digestOf('a'), digestOf('b')];
const config = (change: object = {}): Buffer =>
  Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: 'arm64',
      variant: 'v8',
      created: '2026-01-01T00:00:00Z',
      config: { Labels: { key: 'value' } },
      rootfs: { type: 'layers', diff_ids: diffIds },
      ...change,
    }),
  );
const descriptor = (mediaType: string, text: string): Descriptor => ({
  mediaType,
  digest: digestOf(text),
  size: 7,
});
const parts = (bytes: Buffer, layerTypes: readonly string[]): ImageParts => ({
  name: 'registry.test/app',
  digest: digestOf('manifest'),
  manifest: {
    schemaVersion: 2,
    config: { ...descriptor('application/vnd.oci.image.config.v1+json', ''), digest: digestOf(bytes) },
    layers: layerTypes.map((type, index) => descriptor(type, `layer ${index}`)),
  },
  config: bytes,
  open: (layer) => Promise.resolve(pieces(Buffer.from(layer.digest))),
});
const oci = 'application/vnd.oci.image.layer.v1.tar+zstd';
const docker = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  return 'none';
};

describe('image source', () => {
  it('pairs layers with the diff_ids of the config, in order', async () => {
    const source = toLayerSource(parts(config(), [oci, docker]));
    expect(source.layers.map(({ digest, diffId }) => [digest, diffId])).to.deep.equal([
      [digestOf('layer 0'), diffIds[0]],
      [digestOf('layer 1'), diffIds[1]],
    ]);
    expect(source.config).to.deep.include({
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
      created: '2026-01-01T00:00:00Z',
      labels: { key: 'value' },
    });
    const signal = new AbortController().signal;
    const bytes = await Array.fromAsync((await source.layers[1]?.open({ signal })) ?? []);
    expect(Buffer.concat(bytes).toString()).to.equal(digestOf('layer 1'));
  });

  it('takes a config without labels and time', () => {
    const source = toLayerSource(parts(config({ config: null, created: null }), [oci, docker]));
    expect(source.config.labels).to.deep.equal({});
    expect(source.config.created).to.equal(undefined);
  });

  it('refuses a config that is none, or does not fit, with ERR_SBOM_IMAGE_CONFIG', () => {
    const bad = [
      Buffer.from('not json'),
      Buffer.from('{}'),
      config({ rootfs: { diff_ids: ['sha256:short', diffIds[1]] } }),
      config({ rootfs: { diff_ids: [diffIds[0]] } }),
    ];
    for (const bytes of bad)
      expect(codeOf(() => toLayerSource(parts(bytes, [oci, docker])))).to.equal('ERR_SBOM_IMAGE_CONFIG');
    const other = { ...parts(config(), [oci, docker]), config: config({ os: 'plan9' }) };
    expect(codeOf(() => toLayerSource(other))).to.equal('ERR_SBOM_IMAGE_CONFIG');
  });

  it('refuses layers that are no tar archives with ERR_SBOM_LAYER_MEDIA_TYPE', () => {
    for (const type of [
      'application/vnd.oci.image.layer.v1.tar+gzip+encrypted',
      'application/vnd.wasm.content.layer.v1+wasm',
    ]) {
      expect(codeOf(() => toLayerSource(parts(config(), [oci, type])))).to.equal('ERR_SBOM_LAYER_MEDIA_TYPE');
    }
  });
});
